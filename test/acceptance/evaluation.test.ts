import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runKilled } from '../faults/kill.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { makeEvaluation, viewEvaluation } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

const COUNTS = { scorers: 11, evaluation_datasets: 2, evaluation_dataset_records: 250 };

/** `MLFERRY_TEST_LONG=1`: kills after and before each of the requests; otherwise in turns. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const MOMENTS = ['after', 'before'] as const;

let directory: string;
let source: TestServer;
let seen: Awaited<ReturnType<typeof viewEvaluation>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-evaluation-'));
  source = await startServer();
  await makeEvaluation(source);
  seen = await viewEvaluation(source);
});
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

const all = (outcome: string) =>
  Object.fromEntries(
    Object.entries(COUNTS).map(([kind, count]) => [kind, { read: count, [outcome]: count }]),
  );

async function mustBeSame(from: string, to: string) {
  const { stdout } = await runMlferry(['verify', from, to, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({
    items: [],
    objects: Object.fromEntries(Object.entries(COUNTS).map(([kind, same]) => [kind, { same }])),
    exit_status: 0,
  });
}

describe('scorers and evaluation datasets', () => {
  it('are the same in the database and by its server', async () => {
    expect(await readBothWays(source)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
  });

  it('are as the tests take them', () => {
    const numbers = seen.scorers.filter(([experiment, name]) => experiment === 'judged' && name === 'polite');
    expect(numbers.map(([, , version]) => version)).toEqual([2, 3, 5, 6]);
    expect(seen.datasets.map(({ records }) => records.length)).toEqual([0, 250]);
  });

  it.each(['server', 'archive'] as const)('go to a server by way of: %s', async (way) => {
    await using target = await startServer();
    const between = way === 'server' ? source.url : join(directory, 'all.tar');
    if (way !== 'server') {
      expect(await copyReport(['copy', source.url, between])).toMatchObject({ exit_status: 0, losses: [] });
      await mustBeSame(source.url, between);
    }
    const dry = await copyReport(['copy', between, target.url, '--dry-run']);
    expect(dry.objects).toMatchObject(all('created'));
    const report = await copyReport(['copy', between, target.url]);
    expect(report).toMatchObject({ exit_status: 0, failures: [], loss_counts: { CREATION_TIMES: 2 } });
    expect(report.objects).toMatchObject(all('created'));
    expect(await viewEvaluation(target)).toEqual(seen);
    await mustBeSame(between, target.url);
    const again = await copyReport(['copy', between, target.url]);
    expect(again).toMatchObject({ losses: [], objects: all('unchanged') });
    const byName = source.url.replace('127.0.0.1', 'localhost');
    expect((await copyReport(['copy', byName, target.url])).objects).toMatchObject(all('unchanged'));
    expect(await viewEvaluation(target)).toEqual(seen);
  });

  it('go into the database of a running server: MLflow sees the very same and goes on', async () => {
    await using target = await startServer();
    const database = `sqlite:///${join(target.directory, 'mlflow.db')}`;
    const copy = () => copyReport(['copy', source.url, database]);
    expect(await copy()).toMatchObject({ exit_status: 0, losses: [], failures: [], objects: all('created') });
    await mustBeSame(source.url, database);
    expect(await viewEvaluation(target)).toEqual(seen);
    expect(await readBothWays(target)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
    expect(await copy()).toMatchObject({ exit_status: 0, objects: all('unchanged') });
    // By the server again: it finds what is there.
    const byServer = await copyReport(['copy', source.url, target.url]);
    expect(byServer).toMatchObject({ failures: [], objects: all('unchanged') });
  });

  it('keep their numbers and are there once when copies are killed again and again', async () => {
    await using target = await startServer();
    const proxy = await startFaultProxy(target.url);
    const archive = join(directory, 'kill.tar');
    await copyReport(['copy', source.url, archive]);
    const environment = { HOME: directory, XDG_STATE_HOME: join(directory, 'state') };
    try {
      const kills = [
        ['scorers/register', 1],
        ['scorers/register', 3],
        ['scorers/delete', 1],
        ['datasets/create', 1],
        ['/records', 2],
        ['/tags', 1],
      ] as const;
      for (const [turn, [route, number]] of kills.entries()) {
        for (const moment of long ? MOMENTS : MOMENTS.slice(turn % 2, (turn % 2) + 1))
          await runKilled(['copy', archive, proxy.url], [proxy], { number, moment, route }, environment);
      }
      expect(await copyReport(['copy', archive, target.url])).toMatchObject({ exit_status: 0 });
    } finally {
      await proxy.close();
    }
    expect(await viewEvaluation(target)).toEqual(seen);
  });

  it('that a target cannot hold are reported, and the copy is incomplete', async () => {
    const mlruns = join(directory, 'mlruns');
    const report = await copyReport(['copy', source.url, mlruns]);
    expect(report).toMatchObject({
      exit_status: 3,
      loss_counts: {
        KIND_NOT_HELD: COUNTS.scorers + COUNTS.evaluation_datasets + COUNTS.evaluation_dataset_records,
      },
    });
  });

  it('of another content under the same name are left as they are, and listed', async () => {
    await using target = await startServer();
    await makeEvaluation(target);
    const report = await copyReport(['copy', source.url, target.url]);
    // The scorers are equal; datasets may have the same name.
    expect(report.objects).toMatchObject({ scorers: { unchanged: 11 }, evaluation_datasets: { created: 2 } });
    expect(report.exit_status).toBe(0);
    const other = await copyReport([
      'copy',
      source.url,
      target.url,
      '-e',
      'judged',
      '--rename',
      'judged=judged too',
    ]);
    expect(other.failures.map(({ code, message }) => [code, message.slice(0, 40)])).toContainEqual([
      'REFUSED',
      expect.stringContaining('of scorer'),
    ]);
    expect(other.exit_status).toBe(3);
  });
});
