import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { openReader, openWriter } from '../../../src/places/open.ts';
import { verify } from '../../../src/verify/verify.ts';
import { essenceOf } from '../../contract/copies.ts';
import { smallWorkspace } from '../../disk/sources.ts';
import {
  makeExperiment,
  makeRun,
  readerOptions,
  readWorkspace,
  testOptions,
  type Workspace,
  writeWorkspace,
} from '../memory-workspace.ts';
import { ENGINES, type ServerTestDatabase } from './database-servers.ts';

const everything = { selection: { view: 'all' } } as const;
const engine = ENGINES.find(({ name }) => name === 'PostgreSQL');

describe('a PostgreSQL database', () => {
  let directory: string;
  let uri: string;
  let database: ServerTestDatabase | undefined;
  let options: { toArtifactsRoot: string; selection: { view: 'all' } };
  beforeAll(async () => {
    if (engine === undefined || !(await engine.isThere())) return;
    directory = await mkdtemp(join(tmpdir(), 'mlferry-postgresql-'));
    database = await engine.make();
    uri = database.uri;
    options = { ...everything, toArtifactsRoot: directory };
  }, 60_000);
  afterAll(async () => {
    await database?.drop();
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  });

  beforeEach(({ skip }) => {
    if (database === undefined) skip('PostgreSQL is neither running nor installed');
  });

  async function archiveOf(workspace: Workspace, name: string): Promise<string> {
    const path = join(directory, name);
    await writeWorkspace(workspace, await openWriter(path, testOptions(directory).options));
    return path;
  }

  it('gets runs with their ids, histories and files, again only what is new', async () => {
    const workspace = await smallWorkspace(3000);
    const from = await archiveOf(workspace, 'small.tar');
    const { report } = await copyBetween(from, uri, options);
    expect(report).toMatchObject({
      ...{ exit_status: 0, losses: [], failures: [], runs: { created: 6 } },
      sent: { points: 9006, artifacts: 12 },
    });
    const again = (await copyBetween(from, uri, options)).report;
    expect(again).toMatchObject({ runs: { unchanged: 6 }, sent: { points: 0, artifacts: 0 } });
    const reader = await openReader(uri, readerOptions(directory).options);
    const there = await readWorkspace(reader);
    expect(essenceOf(there.filter(({ experiment }) => experiment.name !== 'Default'))).toEqual(
      essenceOf(workspace),
    );
    expect((await verify(from, uri, options)).exit_status).toBe(0);
  }, 60_000);

  it('whose connection is lost ends the copy; again brings the rest, and nothing twice', async () => {
    const [first, long, none] = await smallWorkspace(30_000);
    if (first === undefined || long === undefined || none === undefined) throw new Error('no workspace');
    const named = [first, long, none].map(({ experiment, runs }, at) => ({
      experiment: { ...experiment, experiment_id: `${at + 11}`, name: `lost ${at}` },
      runs: runs.map((each) => ({
        ...each,
        run: { ...each.run, experiment_id: `${at + 11}`, run_id: `1${each.run.run_id.slice(1)}` },
      })),
    }));
    const from = await archiveOf(named, 'lost.tar');
    let cut: Promise<void> | undefined;
    const { report } = await copyBetween(from, uri, {
      ...options,
      onProgress: ({ points }) => {
        if (points > 20_000) cut ??= database?.disconnectOthers();
      },
    });
    await cut;
    expect(report).toMatchObject({ exit_status: 7, error: { code: 'UNAVAILABLE' } });
    const again = (await copyBetween(from, uri, options)).report;
    expect(again).toMatchObject({ exit_status: 0, losses: [], failures: [] });
    const { options: reading } = readerOptions(directory);
    const there = await readWorkspace(await openReader(uri, reading));
    const names = new Set(named.map(({ experiment }) => experiment.name));
    expect(essenceOf(there.filter(({ experiment }) => names.has(experiment.name)))).toEqual(essenceOf(named));
  }, 120_000);

  it('gives a new id where a column cannot hold the old one, goes on numbering behind those it got, and spills what is too long', async () => {
    const experiment = makeExperiment({ experiment_id: '138509036289544675', name: 'large id' });
    const [long, nul] = ['x'.repeat(9000), 'a\0b'];
    const run = await makeRun(
      {
        ...{ run_id: 'r'.repeat(40), experiment_id: experiment.experiment_id, run_name: 'n'.repeat(300) },
        ...{ params: { long, nul }, tags: { 'mlflow.runName': 'n'.repeat(300), odd: '-0 and more' } },
      },
      [
        [
          'odd',
          [
            [0, 1, 'NaN'],
            [1, 1, 'Infinity'],
            [2, 1, -0],
            ['9223372036854775807', -7, 5e-324],
          ],
        ],
        ['k'.repeat(260), [[0, 1, 1]]],
      ],
    );
    const from = await archiveOf([{ experiment, runs: [run] }], 'odd.tar');
    const { report, ids } = await copyBetween(from, uri, options);
    expect(report).toMatchObject({ exit_status: 0, failures: [], runs: { created: 1 } });
    expect(report.loss_counts).toEqual({
      ...{ RUN_ID_TAKEN: 1, PARAM_TOO_LONG: 1, VALUE_NOT_ALLOWED: 1, NAME_TOO_LONG: 1 },
      ...{ INFINITY_CLAMPED: 1, NEGATIVE_ZERO: 1, KEY_NOT_ALLOWED: 1 },
    });
    const id = Number(ids.of('experiment').get(experiment.experiment_id));
    expect(id).toBeLessThan(100);
    const selection = { experiments: ['large id'], view: 'all' } as const;
    expect(await verify(from, uri, { ...options, selection })).toMatchObject({ exit_status: 0, items: [] });
    // As a server makes one: the engine numbers it.
    await database?.execute(
      "INSERT INTO experiments (name, artifact_location, lifecycle_stage) VALUES ('made by a server', '', 'active')",
    );
  }, 60_000);
});
