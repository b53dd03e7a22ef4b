import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import type { JobOptions } from '../../../src/job/job-options.ts';
import type { Point } from '../../../src/model/records.ts';
import { openWriter } from '../../../src/places/open.ts';
import { verify } from '../../../src/verify/verify.ts';
import { smallWorkspace } from '../../disk/sources.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  testOptions,
  type Workspace,
  writeWorkspace,
} from '../memory-workspace.ts';
import { experimentRow, makeDatabase, runRow, type TestDatabase } from './make-database.ts';

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const NOBODY = 65534;

let directory: string;
let database: TestDatabase;
let to: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-writer-'));
  database = makeDatabase(join(directory, 'mlflow.db'));
  to = `sqlite:///${database.path}`;
});
afterEach(async () => {
  database.close();
  await rm(directory, { recursive: true, force: true });
});

let archives = 0;
/** An archive, which keeps every record as it is. */
async function store(workspace: Workspace): Promise<string> {
  archives += 1;
  const path = join(directory, `${archives}.tar`);
  await writeWorkspace(workspace, await openWriter(path, testOptions(directory).options));
  return path;
}

const everything = { selection: { view: 'all' } } as const;
const copy = async (from: string, options: JobOptions = {}) =>
  (await copyBetween(from, to, { ...everything, ...options })).report;

function rows(sql: string): unknown[][] {
  const reading = new DatabaseSync(database.path, { readOnly: true });
  try {
    const statement = reading.prepare(sql);
    statement.setReadBigInts(false);
    return statement.all().map((row) => Object.values(row));
  } finally {
    reading.close();
  }
}

const one = async (run: MemoryRun, fields: Parameters<typeof makeExperiment>[0] = {}): Promise<Workspace> => {
  const experiment = makeExperiment({ experiment_id: '7', name: 'seven', creation_time: 5, ...fields });
  return [{ experiment, runs: [{ ...run, run: { ...run.run, experiment_id: experiment.experiment_id } }] }];
};

describe('a copy into a database', () => {
  it('keeps ids and times, of deletion too, and is what verify expects', async () => {
    const deleted = { lifecycle_stage: 'deleted', deleted_time: 1_700_000_005_000 } as const;
    const experiment = makeExperiment({
      experiment_id: '7',
      creation_time: 5,
      last_update_time: 6,
      name: 'seven',
    });
    const gone = makeExperiment({
      ...{
        experiment_id: '8',
        name: 'gone',
        lifecycle_stage: 'deleted',
        last_update_time: 1_700_000_006_000,
      },
    });
    const from = await store([
      {
        experiment,
        runs: [
          await makeRun({ run_id: A, experiment_id: '7', start_time: 10, end_time: 20 }),
          await makeRun({ run_id: B, experiment_id: '7', start_time: 11, end_time: 21, ...deleted }),
        ],
      },
      { experiment: gone, runs: [] },
    ]);
    expect(await copy(from)).toMatchObject({
      exit_status: 0,
      losses: [],
      failures: [],
      runs: { created: 2 },
    });
    expect(
      rows('SELECT experiment_id, name, lifecycle_stage, creation_time, last_update_time FROM experiments'),
    ).toEqual([
      [0, 'Default', 'active', expect.anything(), expect.anything()],
      [7, 'seven', 'active', 5, 6],
      [8, 'gone', 'deleted', expect.anything(), 1_700_000_006_000],
    ]);
    expect(
      rows(
        'SELECT run_uuid, start_time, end_time, lifecycle_stage, deleted_time, artifact_uri FROM runs ORDER BY 1',
      ),
    ).toEqual([
      [A, 10, 20, 'active', null, join(directory, `mlartifacts/7/${A}/artifacts`)],
      [B, 11, 21, 'deleted', 1_700_000_005_000, join(directory, `mlartifacts/7/${B}/artifacts`)],
    ]);
    expect((await verify(from, to, everything)).exit_status).toBe(0);
  });

  it('keeps values as MLflow’s store does, whatever keys and texts there are', async () => {
    const points: Point[] = [
      [0, 1, 'NaN'],
      [1, -5, 'Infinity'],
      ['9007199254740993', 2, '-Infinity'],
      [2, 3, 4],
      [2, 3, 4],
    ];
    const long = 'x'.repeat(30_000);
    const run = await makeRun(
      { run_id: A, params: { __proto__x: long, 'a*b?': 'ünï\u0000😀' }, tags: { '': 'empty key', t: long } },
      [
        ['m', points],
        ['nan', [[0, 0, 'NaN']]],
      ],
    );
    const from = await store(await one(run));
    const { loss_counts, exit_status } = await copy(from);
    expect({ loss_counts, exit_status }).toEqual({
      loss_counts: { INFINITY_CLAMPED: 2, DUPLICATE_POINTS: 1 },
      exit_status: 0,
    });
    const big = 'CAST(step AS TEXT)';
    expect(rows(`SELECT key, value, timestamp, ${big}, is_nan FROM metrics ORDER BY key, timestamp`)).toEqual(
      [
        ['m', Number.MAX_VALUE, -5, '1', 0],
        ['m', 0, 1, '0', 1],
        ['m', -Number.MAX_VALUE, 2, '9007199254740993', 0],
        ['m', 4, 3, '2', 0],
        ['nan', 0, 0, '0', 1],
      ],
    );
    expect(rows(`SELECT key, value, timestamp, ${big}, is_nan FROM latest_metrics ORDER BY key`)).toEqual([
      ['m', -Number.MAX_VALUE, 2, '9007199254740993', 0],
      ['nan', 0, 0, '0', 1],
    ]);
    expect(await verify(from, to, everything)).toMatchObject({ exit_status: 0, runs: { same: 1 } });
  });

  it('again sends what is new alone, and keeps what a server logged meanwhile', async () => {
    const points = (to: number): Point[] => Array.from({ length: to }, (_, step) => [step, 100 + step, step]);
    const run = (length: number, more: Parameters<typeof makeRun>[0] = {}) =>
      makeRun(
        { run_id: A, start_time: 1, ...more },
        [
          ['m', points(length)],
          ['n', points(3)],
        ],
        [['f', Buffer.from('f')]],
      );
    await copy(await store(await one(await run(5))));
    const again = await copy(await store(await one(await run(5))));
    expect(again).toMatchObject({ runs: { unchanged: 1 }, sent: { points: 0, artifacts: 0 } });
    database.insert('metrics', { key: 'm', value: 9, timestamp: 999, step: 50, is_nan: 0, run_uuid: A });
    database.execute("UPDATE latest_metrics SET value = 9, timestamp = 999, step = 50 WHERE key = 'm'");
    const grown = await copy(
      await store(await one(await run(8, { params: { late: '1' }, tags: { t: 'x' } }))),
    );
    expect(grown).toMatchObject({ exit_status: 0, runs: { updated: 1 }, sent: { points: 3, artifacts: 0 } });
    expect(rows("SELECT key, value FROM params UNION SELECT key, value FROM tags WHERE key = 't'")).toEqual([
      ['late', '1'],
      ['t', 'x'],
    ]);
    expect(rows('SELECT key, count(*) FROM metrics GROUP BY key')).toEqual([
      ['m', 9],
      ['n', 3],
    ]);
    expect(rows("SELECT value FROM latest_metrics WHERE key = 'm'")).toEqual([[9]]);
  });

  it('says in a dry run what it would do, and does nothing', async () => {
    const from = await store(await smallWorkspace(40));
    const before = await readFile(database.path);
    expect(await copy(from, { dryRun: true })).toMatchObject({
      runs: { created: 6 },
      sent: { points: 126, artifacts: 12 },
    });
    expect((await readFile(database.path)).equals(before)).toBe(true);
    expect(await readdir(directory)).not.toContain('mlartifacts');
  });

  it('leaves a run of the same id alone that is no copy: the same one is there already, another one is a failure', async () => {
    database.insert(
      'experiments',
      experimentRow({ experiment_id: 7, name: 'seven', artifact_location: './mlruns/7' }),
    );
    const same = {
      run_id: A,
      run_name: 'a run',
      user_id: 'someone',
      start_time: 1_700_000_000_000,
      end_time: 1_700_000_001_000,
    };
    for (const id of [A, B])
      database.insert(
        'runs',
        runRow({ run_uuid: id, experiment_id: 7, artifact_uri: `./mlruns/7/${id}/artifacts` }),
      );
    const runs = [
      await makeRun({ ...same, experiment_id: '7' }),
      await makeRun({ ...same, experiment_id: '7', run_id: B, params: { other: 'content' } }),
      await makeRun({ run_id: 'c'.repeat(32), experiment_id: '7' }),
    ];
    const experiment = makeExperiment({ experiment_id: '7', name: 'seven' });
    const report = await copy(await store([{ experiment, runs }]));
    expect(report).toMatchObject({
      exit_status: 3,
      runs: { created: 1, unchanged: 1, failed: 1 },
      failures: [{ code: 'REFUSED', of: { id: B }, message: expect.stringContaining('no copy') }],
    });
    expect(rows('SELECT count(*) FROM params')).toEqual([[0]]);
    // The same one is marked as a copy, so that it is not looked at again; no mirror takes it away.
    expect(rows(`SELECT run_uuid, key FROM tags WHERE run_uuid IN ('${A}', '${B}') ORDER BY 2`)).toEqual([
      [A, 'mlferry.digest'],
      [A, 'mlferry.files'],
      [A, 'mlferry.origin'],
    ]);
  });

  it('gives an experiment another id where its own is taken, and a second copy of a run another one', async () => {
    database.insert(
      'experiments',
      experimentRow({ experiment_id: 7, name: 'another', artifact_location: 'mlflow-artifacts:/7' }),
    );
    await mkdir(join(directory, 'mlartifacts'));
    const from = await store(await one(await makeRun({ run_id: A }, [], [['f', Buffer.from('x')]])));
    const report = await copy(from);
    expect(report).toMatchObject({ exit_status: 0, losses: [], runs: { created: 1 } });
    expect(rows("SELECT experiment_id, artifact_location FROM experiments WHERE name = 'seven'")).toEqual([
      [8, 'mlflow-artifacts:/8'],
    ]);
    expect(await readFile(join(directory, `mlartifacts/8/${A}/artifacts/f`), 'utf8')).toBe('x');
    const into = await copy(from, { into: 'elsewhere' });
    expect(into).toMatchObject({ runs: { created: 1 }, loss_counts: { RUN_ID_TAKEN: 1 } });
    expect(rows('SELECT count(DISTINCT run_uuid) FROM runs')).toEqual([[2]]);
  });

  it('says which files go nowhere, and takes them where the root is told', async () => {
    database.insert(
      'experiments',
      experimentRow({ experiment_id: 0, name: 'Default', artifact_location: 'mlflow-artifacts:/0' }),
    );
    const from = await store(await one(await makeRun({ run_id: A }, [], [['d/f', Buffer.from('x')]])));
    expect(await copy(from)).toMatchObject({
      exit_status: 3,
      loss_counts: { ARTIFACTS_UNREACHABLE: 1 },
      sent: { artifacts: 0 },
    });
    const root = join(directory, 'served');
    await mkdir(root);
    const told = await copy(from, { toArtifactsRoot: root });
    expect(told).toMatchObject({ exit_status: 0, losses: [], sent: { artifacts: 1 } });
    expect(await readdir(join(root, '7', A), { recursive: true })).toEqual([
      'artifacts',
      'artifacts/d',
      'artifacts/d/f',
    ]);
    expect((await verify(from, to, { ...everything, toArtifactsRoot: root })).exit_status).toBe(0);
  });

  it.each(['s3://bucket/root', '/of/another/machine/mlruns'])(
    'puts no files of %s elsewhere',
    async (root) => {
      const location = { name: 'Default', artifact_location: `${root}/0` };
      database.insert('experiments', experimentRow({ experiment_id: 0, ...location }));
      await mkdir(join(directory, 'mlartifacts'));
      const from = await store(await one(await makeRun({ run_id: A }, [], [['f', Buffer.from('x')]])));
      expect(await copy(from)).toMatchObject({ exit_status: 3, loss_counts: { ARTIFACTS_UNREACHABLE: 1 } });
      expect(rows('SELECT artifact_uri FROM runs')).toEqual([[`${root}/7/${A}/artifacts`]]);
      expect(await readdir(join(directory, 'mlartifacts'))).toEqual([]);
    },
  );

  it('has one dataset of a name and digest in an experiment, and keeps the other one in a file', async () => {
    const input = (source: string) => ({
      dataset: { name: 'd', digest: '1', source_type: 'local', source },
      tags: { 'mlflow.data.context': 'training' },
    });
    const experiment = makeExperiment({ experiment_id: '7', name: 'seven' });
    const runs = [
      await makeRun({ run_id: A, experiment_id: '7', start_time: 1, dataset_inputs: [input('one')] }),
      await makeRun({ run_id: B, experiment_id: '7', start_time: 2, dataset_inputs: [input('one')] }),
    ];
    const third = await makeRun({
      ...{ run_id: 'c'.repeat(32), experiment_id: '7', start_time: 3, dataset_inputs: [input('two')] },
    });
    const first = await store([{ experiment, runs }]);
    const second = await store([{ experiment, runs: [...runs, third] }]);
    expect(await copy(first)).toMatchObject({ losses: [], runs: { created: 2 } });
    expect(await copy(second)).toMatchObject({ exit_status: 0, loss_counts: { DATASET_DIFFERS: 1 } });
    expect(
      rows(
        'SELECT (SELECT count(*) FROM datasets), (SELECT count(*) FROM inputs), (SELECT count(*) FROM input_tags)',
      ),
    ).toEqual([[1, 3, 3]]);
    const oversize = join(directory, `mlartifacts/7/${'c'.repeat(32)}/artifacts/mlferry/oversize.json`);
    expect(await readFile(oversize, 'utf8')).toContain('"two"');
    expect((await verify(second, to, everything)).exit_status).toBe(0);
  });

  it('writes to the workspace that is named', async () => {
    const from = await store(await one(await makeRun({ run_id: A })));
    await expect(copyBetween(from, `${to}?workspace=team`)).rejects.toMatchObject({ code: 'LOCATION' });
    database.execute('CREATE TABLE workspaces (name VARCHAR(63) NOT NULL PRIMARY KEY)');
    database.insert('workspaces', { name: 'team' });
    const { report } = await copyBetween(from, `${to}?workspace=team`);
    expect(report).toMatchObject({ exit_status: 0, runs: { created: 1 } });
    expect(rows("SELECT workspace FROM experiments WHERE name = 'seven'")).toEqual([['team']]);
    expect(await copy(from)).toMatchObject({ loss_counts: { RUN_ID_TAKEN: 1 }, runs: { created: 1 } });
  });
});

describe('a database that is not written to', () => {
  it.each([
    [
      'older than MLflow 2.8',
      "UPDATE alembic_version SET version_num = '2d6e25af4d3e'",
      'mlflow db upgrade sqlite:///',
    ],
    ['of an unknown schema', "UPDATE alembic_version SET version_num = 'fffffffffff0'", 'newer mlferry'],
    ['without tables', 'DROP TABLE metrics', 'mlflow db upgrade'],
  ])('one %s', async (_, sql, hint) => {
    database.execute(sql);
    const from = await store(await one(await makeRun()));
    await expect(copy(from)).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      hint: expect.stringContaining(hint),
    });
  });

  it('one that is not there, or is the source itself', async () => {
    const from = await store(await one(await makeRun()));
    await expect(copyBetween(from, `sqlite:///${directory}/none.db`)).rejects.toMatchObject({
      code: 'LOCATION',
    });
    await expect(copyBetween(database.path, to)).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  it('one that may only be read', async () => {
    const from = await store(await one(await makeRun()));
    await chmod(database.path, 0o444);
    // Root may write everywhere.
    const isRoot = process.getuid?.() === 0;
    if (isRoot)
      for (const path of ['', ...(await readdir(directory))])
        await chown(join(directory, path), NOBODY, NOBODY);
    if (isRoot) process.seteuid?.(NOBODY);
    try {
      expect(await copy(from, { stateDir: join(directory, 'state') })).toMatchObject({
        error: { code: 'DENIED' },
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    expect(rows('SELECT count(*) FROM runs')).toEqual([[0]]);
  });
});

/** A process of its own that holds the file for writing until its input ends. */
async function holder(): Promise<{ release(): Promise<void> }> {
  const script = `const { DatabaseSync } = require('node:sqlite');
    const d = new DatabaseSync(${JSON.stringify(database.path)}); d.exec('BEGIN IMMEDIATE'); console.log('held');
    process.stdin.on('end', () => { d.exec('COMMIT'); d.close(); }).resume();`;
  const child = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(child.stdout, 'data');
  return {
    async release() {
      child.stdin.end();
      await once(child, 'close');
    },
  };
}

describe('a database that others use', () => {
  it('is waited for', async () => {
    const from = await store(await smallWorkspace(10));
    const held = await holder();
    const copying = copy(from);
    await held.release();
    expect(await copying).toMatchObject({ exit_status: 0, runs: { created: 6 } });
  });
});
