import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type Difference, differences } from '../servers/compare-snapshots.ts';
import { makeWorkspace, takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { MLFLOW_VERSIONS, NEWEST_MLFLOW } from '../servers/versions.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport } from './run-mlferry.ts';

/** Copies into the database of a running server: what MLflow makes of it. */

const long = process.env.MLFERRY_TEST_LONG === '1';
const samples = new URL('../../samples/mlruns', import.meta.url).pathname;

/** The database of a server, and where its artifacts are. */
const databaseOf = ({ directory }: TestServer) => [
  `sqlite:///${join(directory, 'mlflow.db')}`,
  ...['--to-artifacts-root', join(directory, 'artifacts')],
];

const found = z.object({
  runs: z.array(z.object({ info: z.object({ run_id: z.string(), experiment_id: z.string() }) })).default([]),
});

async function post(server: TestServer, path: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${server.url}/api/2.0/mlflow/${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

describe('from mlruns to a database', () => {
  test('the first line of the README: MLflow’s own client sees the same', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'mlferry-three-lines-'));
    try {
      const uri = `sqlite:///${join(directory, 'mlflow.db')}`;
      const report = await copyReport(['copy', samples, uri, '--init', '--view', 'all', '--verify']);
      expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [], runs: { created: 11 } });
      const [before, after] = await Promise.all(
        [samples, uri].map((url) => takeSnapshot({ url, version: NEWEST_MLFLOW })),
      );
      if (before === undefined || after === undefined) throw new Error('no snapshots');
      // The roots that the samples name are of another machine: there MLflow itself finds no files.
      const isFound = ({ field, source }: Difference) => /^artifact /.test(field) && source === undefined;
      expect(differences(before, after, { tolerate: isFound })).toEqual([]);
      expect(report.sent.artifacts).toBe(17);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  }, 120_000);
});

describe('the database of a running server', () => {
  const sourceServer = sharedServer();
  const targetServer = sharedServer();

  test('gets all that another server has, as MLflow’s own client sees it, with its ids and times', async () => {
    const [source, target] = [await sourceServer(), await targetServer()];
    await makeWorkspace(source, 'small');
    const arguments_ = ['copy', source.url, ...databaseOf(target), '--view', 'all', '--verify'];
    const report = await copyReport(arguments_);
    expect(report).toMatchObject({
      exit_status: 0,
      failures: [],
      loss_counts: { PARENT_NOT_COPIED: 1, REFERENCE_KEPT: 1 },
      runs: { created: 28, failed: 0 },
    });
    const [before, after] = [await takeSnapshot(source), await takeSnapshot(target)];
    expect(differences(before, after)).toEqual([]);
    const ids = (all: typeof before) => all.runs.map(({ run_id }) => run_id).toSorted();
    expect(ids(after)).toEqual(ids(before));
    const again = await copyReport(arguments_.slice(0, -1));
    expect(again).toMatchObject({ runs: { created: 0, updated: 0, unchanged: 28 }, sent: { points: 0 } });
  }, 180_000);

  test('is gone on with by its server: searches by metrics, further points, new runs and experiments', async () => {
    const target = await targetServer();
    await copyReport(['copy', samples, ...databaseOf(target)]);
    const experiment_ids = found
      .parse(
        await post(target, 'runs/search', {
          filter: 'tags."mlflow.runName" = \'fast\'',
          experiment_ids: ['138509036289544675'],
        }),
      )
      .runs.map(({ info }) => info.experiment_id);
    expect(experiment_ids).toEqual(['138509036289544675']);
    const best = found.parse(
      await post(target, 'runs/search', {
        ...{
          experiment_ids,
          filter: 'metrics.`val/accuracy` > 0',
          order_by: ['metrics.`val/accuracy` DESC'],
        },
      }),
    ).runs;
    expect(best.length).toBeGreaterThan(1);
    const run_id = best[0]?.info.run_id;
    await post(target, 'runs/log-metric', {
      run_id,
      key: 'val/accuracy',
      value: 0.25,
      timestamp: 2e12,
      step: 99_999,
    });
    const [last] = found.parse(
      await post(target, 'runs/search', { experiment_ids, filter: 'metrics.`val/accuracy` = 0.25' }),
    ).runs;
    expect(last?.info.run_id).toBe(run_id);
    const made = z
      .object({ experiment_id: z.string() })
      .parse(await post(target, 'experiments/create', { name: 'made afterwards' }));
    await post(target, 'runs/create', { experiment_id: made.experiment_id });
  }, 60_000);

  // Every schema is written to in test/places/database/schemas.test.ts; these are read by their servers.
  test.each(long ? MLFLOW_VERSIONS.slice(1) : MLFLOW_VERSIONS.slice(3))(
    'of MLflow %s shows what was written',
    async (version) => {
      await using target = await startServer({ version });
      const report = await copyReport(['copy', samples, ...databaseOf(target), '--view', 'all']);
      expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [], runs: { created: 11 } });
      const { same, ...others } = await readBothWays(target);
      expect(others).toEqual({ onlyServer: [], onlyDatabase: [] });
      expect(same).toBeGreaterThan(50);
    },
    120_000,
  );
});
