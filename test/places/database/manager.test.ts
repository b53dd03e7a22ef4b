import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { deleteExperiments } from '../../../src/manage/delete-experiments.ts';
import { deleteRuns } from '../../../src/manage/delete-runs.ts';
import { renameExperiment } from '../../../src/manage/rename-experiment.ts';
import { renameRun } from '../../../src/manage/rename-run.ts';
import { restoreExperiments } from '../../../src/manage/restore-experiments.ts';
import { restoreRuns } from '../../../src/manage/restore-runs.ts';
import { tagExperiments } from '../../../src/manage/tag-experiments.ts';
import { tagRuns } from '../../../src/manage/tag-runs.ts';
import { undo } from '../../../src/manage/undo.ts';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { moveRuns } from '../../../src/move/move-runs.ts';
import { openReader } from '../../../src/places/open.ts';
import { collect, readerOptions } from '../memory-workspace.ts';
import { ENGINES } from './database-servers.ts';
import { experimentRow, makeDatabase, pointRow, runRow } from './make-database.ts';

const [A, B, C, D] = ['a', 'b', 'c', 'd'].map((letter) => letter.repeat(32)) as [
  string,
  string,
  string,
  string,
];

type Row = Readonly<Record<string, string | number | null>>;
interface Filled {
  readonly uri: string;
  insert(table: string, ...rows: readonly Row[]): Promise<void> | void;
  execute(sql: string): Promise<void> | void;
  close(): Promise<void> | void;
}

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-manager-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const sqlite = (revision: 'dc11669786a5' | 'a8c4a736bde6') => async (): Promise<Filled> => {
  const { path, ...database } = makeDatabase(join(directory, `${revision}.db`), revision);
  return { ...database, uri: `sqlite:///${path}` };
};

/** Databases of every engine, and the oldest schema. */
const DATABASES = [
  { name: 'SQLite', old: false, isThere: async () => true, make: sqlite('dc11669786a5') },
  { name: 'SQLite of MLflow 1.12', old: true, isThere: async () => true, make: sqlite('a8c4a736bde6') },
  ...ENGINES.map(({ name, isThere, make }) => ({
    ...{ name, isThere, old: false },
    make: async (): Promise<Filled> => {
      const database = await make();
      return {
        ...{ uri: database.uri, execute: database.execute, close: database.drop },
        insert: (table, ...rows) => database.insert(table, rows),
      };
    },
  })),
];

describe.each(DATABASES)('a database on $name', ({ old, isThere, make }) => {
  let database: Filled | undefined;
  let uri = '';
  beforeAll(async () => {
    if (!(await isThere())) return;
    database = await make();
    uri = database.uri;
    await fill(database, old);
  }, 60_000);
  afterAll(async () => {
    await database?.close();
  });
  beforeEach(({ skip }) => {
    if (database === undefined) skip('the engine is neither running nor installed');
  });

  const look = async () => {
    const reader = await openReader(uri, readerOptions(directory).options);
    const selection = { ...ALL_ACTIVE, view: 'all' } as const;
    const experiments = await collect(reader.experiments(selection));
    const runs = [];
    for (const experiment of experiments)
      for (const { run } of await collect(reader.runs(experiment, selection))) runs.push(run);
    const objects = [];
    const scope = { selection, experiments, isChosen: () => true, isHeld: () => true };
    for (const source of reader.objects?.values() ?? [])
      for await (const { record } of source.read(scope)) objects.push(record);
    await reader.close();
    return { experiments, runs: runs.toSorted((one, two) => (one.run_id < two.run_id ? -1 : 1)), objects };
  };
  const stages = async () => {
    const { runs } = await look();
    return Object.fromEntries(
      runs.map((run) => [run.run_name, `${run.experiment_id} ${run.lifecycle_stage}`]),
    );
  };
  let serial = 0;
  const undoFile = () => {
    serial += 1;
    return join(directory, `undo-${serial}-${uri.replaceAll(/\W/g, '_').slice(-20)}.ndjson`);
  };

  it('deletes and restores runs with those below them, tags and renames, and undoes it', async () => {
    const before = await look();
    const file = undoFile();
    const options = { selection: { runs: [A] }, undoFile: file };
    expect(await deleteRuns(uri, options)).toMatchObject({
      total: 2,
      changed: 2,
      failures: [],
      exit_status: 0,
    });
    expect(await stages()).toMatchObject({ a: '1 deleted', b: '1 deleted', c: '1 active' });
    const times = (await look()).runs.map(({ deleted_time }) => typeof deleted_time);
    expect(times.slice(0, 2)).toEqual(old ? ['undefined', 'undefined'] : ['number', 'number']);
    expect(await undo(uri, file)).toMatchObject({ changed: 2, exit_status: 0 });
    expect(await look()).toEqual(before);
    await deleteRuns(uri, { selection: { runs: [A] } });
    const restored = await restoreRuns(uri, { selection: { runs: [A] }, cascade: true });
    expect(restored).toMatchObject({ changed: 2, exit_status: 0 });
    expect(await look()).toEqual(before);

    const [tags, name] = [undoFile(), undoFile()];
    const set = { Key: 'another case', 'a b': 'ünï 😀', parent: null };
    expect(await tagRuns(uri, set, { selection: { runs: [A] }, undoFile: tags })).toMatchObject({
      changed: 1,
    });
    expect(await renameRun(uri, A, 'new name', { undoFile: name })).toMatchObject({ changed: 1 });
    const [run] = (await look()).runs.filter(({ run_id }) => run_id === A);
    expect(run).toMatchObject({
      run_name: 'new name',
      tags: { Key: 'another case', 'a b': 'ünï 😀', 'mlflow.runName': 'new name' },
    });
    await undo(uri, name);
    await undo(uri, tags);
    expect(await look()).toEqual(before);
  });

  it('refuses what the engine cannot hold, and changes nothing', async () => {
    const before = await look();
    const report = await tagRuns(uri, { ok: 'x', bad: '\ud800' }, { selection: { runs: [A] } });
    expect(report).toMatchObject({ changed: 0, failed: 1, failures: [{ code: 'REFUSED' }], exit_status: 3 });
    expect(await look()).toEqual(before);
  });

  it('deletes and restores an experiment, tags and renames it', async () => {
    const before = await look();
    const file = undoFile();
    await deleteRuns(uri, { selection: { runs: [B] } });
    const selection = { experiments: ['first'] };
    expect(await deleteExperiments(uri, { selection, undoFile: file })).toMatchObject({
      changed: 1,
      failed: 0,
    });
    expect((await look()).experiments[0]).toMatchObject({ name: 'first', lifecycle_stage: 'deleted' });
    expect(await stages()).toMatchObject({ a: '1 deleted', b: '1 deleted', c: '1 deleted' });
    expect(await restoreExperiments(uri, { selection })).toMatchObject({ changed: 1, failed: 0 });
    expect(await stages()).toMatchObject({ a: '1 active', b: '1 deleted', c: '1 active' });
    await restoreRuns(uri, { selection: { runs: [B] } });
    const [tags, name] = [undoFile(), undoFile()];
    await tagExperiments(uri, { team: 'x' }, { selection, undoFile: tags });
    expect(await renameExperiment(uri, 'first', 'renamed', { undoFile: name })).toMatchObject({ changed: 1 });
    expect((await look()).experiments[0]).toMatchObject({ name: 'renamed', tags: { team: 'x' } });
    await undo(uri, name);
    await undo(uri, tags);
    const times = ({ last_update_time: _, ...rest }: object & { last_update_time?: unknown }) => rest;
    expect((await look()).experiments.map(times)).toEqual(before.experiments.map(times));
    expect((await look()).runs).toEqual(before.runs);
  });

  it('moves runs with what belongs to them, ids and roots kept, and back', async () => {
    const before = await look();
    const file = undoFile();
    const options = { selection: { runs: [A] }, to: 'made for it', create: true, undoFile: file };
    expect(await moveRuns(uri, options)).toMatchObject({
      total: 2,
      changed: 2,
      failures: [],
      exit_status: 0,
    });
    const now = await look();
    const made = now.experiments.find(({ name }) => name === 'made for it')?.experiment_id ?? '';
    const moved = (run_id: string) => ({ run_id, experiment_id: made });
    for (const id of [A, B]) {
      const was = before.runs.find(({ run_id }) => run_id === id);
      expect(now.runs.find(({ run_id }) => run_id === id)).toEqual({ ...was, ...moved(id) });
    }
    const objectsOf = (workspace: typeof now, kind: string) =>
      workspace.objects.filter((record) => record.kind === kind);
    if (!old) {
      expect(objectsOf(now, 'logged_model')).toMatchObject([
        { model_id: 'm-1', experiment_id: made, params: { p: '1' } },
      ]);
      expect(objectsOf(now, 'trace')).toMatchObject([{ trace_id: 'tr-1', experiment_id: made }]);
    }
    expect(await moveRuns(uri, options)).toMatchObject({ total: 0, unchanged: 1, exit_status: 0 });
    expect(await undo(uri, file)).toMatchObject({ changed: 2, exit_status: 0 });
    const back = await look();
    expect({ ...back, experiments: back.experiments.filter(({ name }) => name !== 'made for it') }).toEqual(
      before,
    );
  });

  // The oldest schema has no datasets.
  const withDatasets = old ? [] : ['leaves a run whose dataset the other experiment has otherwise'];
  it.each(withDatasets)('%s', async () => {
    const report = await moveRuns(uri, { selection: { runs: [C] }, to: 'second' });
    expect(report).toMatchObject({ changed: 0, failed: 1, failures: [{ code: 'REFUSED' }], exit_status: 3 });
    expect(await stages()).toMatchObject({ c: '1 active' });
  });
});

/** Three runs, one below another, in one of two experiments, with what belongs to them. */
async function fill(database: Filled, old: boolean): Promise<void> {
  const timed = (fields: Row): Row => {
    const row = experimentRow({
      ...fields,
      creation_time: Number(fields.experiment_id),
      last_update_time: 5,
    });
    const { creation_time, last_update_time, ...rest } = row;
    return (old ? rest : { creation_time, last_update_time, ...rest }) as Row;
  };
  await database.insert(
    'experiments',
    timed({ experiment_id: 1, name: 'first' }),
    timed({ experiment_id: 2, name: 'second' }),
  );
  const runs = [A, B, C, D].map((run_uuid, index) => {
    const name = run_uuid.slice(0, 1);
    const experiment_id = run_uuid === D ? 2 : 1;
    const artifact_uri = `./mlruns/1/${run_uuid}/artifacts`;
    return runRow({ run_uuid, experiment_id, name, start_time: index, artifact_uri }) as Row;
  });
  await database.insert('runs', ...runs);
  await database.insert(
    'tags',
    ...runs.map(({ run_uuid, name }) => ({
      run_uuid: run_uuid ?? '',
      key: 'mlflow.runName',
      value: name ?? '',
    })),
    { run_uuid: A, key: 'parent', value: 'no one' },
    { run_uuid: B, key: 'mlflow.parentRunId', value: A },
  );
  await database.insert('params', { run_uuid: A, key: 'p', value: '1' });
  const { is_nan, ...point } = pointRow({ run_uuid: A }) as Row;
  const isNan = old || is_nan === undefined ? 0 : is_nan;
  for (const table of ['metrics', 'latest_metrics'])
    await database.insert(table, { ...point, is_nan: isNan });
  if (old) return;
  const dataset = { name: 'data', digest: '1', dataset_source_type: 'local', dataset_source: '{}' };
  await database.insert(
    'datasets',
    { dataset_uuid: 'd1', experiment_id: 1, ...dataset },
    { dataset_uuid: 'd2', experiment_id: 1, ...dataset, name: 'other' },
    { dataset_uuid: 'd3', experiment_id: 2, ...dataset, name: 'other', dataset_source: '{"else": 1}' },
  );
  const input = (id: string, dataset_uuid: string, run: string) => ({
    ...{ input_uuid: id, source_type: 'DATASET', source_id: dataset_uuid },
    ...{ destination_type: 'RUN', destination_id: run, step: 0 },
  });
  await database.insert('inputs', input('i1', 'd1', A), input('i2', 'd2', C));
  await database.insert('input_tags', { input_uuid: 'i1', name: 'context', value: 'train' });
  const model = { model_id: 'm-1', experiment_id: 1 };
  await database.insert('logged_models', {
    ...{ ...model, name: 'model', artifact_location: './mlruns/1/models/m-1/artifacts', source_run_id: A },
    ...{ creation_timestamp_ms: 1, last_updated_timestamp_ms: 2, status: 2, lifecycle_stage: 'active' },
  });
  await database.insert('logged_model_params', { ...model, param_key: 'p', param_value: '1' });
  await database.insert('trace_info', {
    ...{
      request_id: 'tr-1',
      experiment_id: 1,
      timestamp_ms: 1_700_000_000_000,
      execution_time_ms: 1,
      status: 'OK',
    },
  });
  await database.insert('trace_request_metadata', { request_id: 'tr-1', key: 'mlflow.sourceRun', value: A });
}
