import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ALL_ACTIVE, type Selection } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import type { PlaceOptions } from '../../../src/places/place-options.ts';
import { collect, readerOptions, readWorkspace } from '../memory-workspace.ts';
import { experimentRow, makeDatabase, pointRow, runRow, type TestDatabase } from './make-database.ts';

let directory: string;
let database: TestDatabase;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-database-'));
  database = makeDatabase(join(directory, 'mlflow.db'));
});
afterEach(async () => {
  database.close();
  await rm(directory, { recursive: true, force: true });
});

/** Reads all of the database, with what was found on the way. */
async function readAll(selection: Partial<Selection> = {}, options: Partial<PlaceOptions> = {}, end = '') {
  const { options: made, losses, failures } = readerOptions(directory, options);
  const reader = await openReader(`sqlite:///${database.path}${end}`, made);
  const workspace = await readWorkspace(reader, { ...ALL_ACTIVE, view: 'all', ...selection });
  return { workspace, losses, failures };
}

const A = 'a'.repeat(32);
const B = 'b'.repeat(32);

describe('a database', () => {
  it('gives runs with all that its rows hold', async () => {
    database.insert('experiments', experimentRow({ creation_time: 5, last_update_time: 6 }));
    database.insert('experiment_tags', { experiment_id: 1, key: '__proto__', value: 'x' });
    const deleted = { lifecycle_stage: 'deleted', deleted_time: 1_700_000_005_000 };
    database.insert(
      'runs',
      runRow({ source_name: 'train.py', source_version: 'c0ffee', entry_point_name: '' }),
      runRow({ run_uuid: B, name: '', status: 'RUNNING', start_time: null, end_time: null, ...deleted }),
    );
    for (const table of ['params', 'tags'])
      database.insert(
        table,
        { run_uuid: A, key: '__proto__', value: 'ünï 😀' },
        { run_uuid: A, key: 'e', value: '' },
      );
    database.insert('tags', { run_uuid: B, key: 'mlflow.runName', value: 'by its tag' });
    const { workspace, losses, failures } = await readAll();
    expect({ losses, failures }).toEqual({ losses: [], failures: [] });
    expect(workspace.map(({ experiment }) => experiment)).toEqual([
      {
        kind: 'experiment',
        experiment_id: '1',
        name: 'first',
        artifact_location: './mlruns/1',
        lifecycle_stage: 'active',
        creation_time: 5,
        last_update_time: 6,
        tags: Object.fromEntries([['__proto__', 'x']]),
      },
    ]);
    const [other, run] = workspace[0]?.runs.map((each) => each.run) ?? [];
    expect(other).toMatchObject({
      run_id: B,
      run_name: 'by its tag',
      status: 'RUNNING',
      start_time: null,
      end_time: null,
      ...deleted,
    });
    const texts = [
      ['__proto__', 'ünï 😀'],
      ['e', ''],
    ];
    expect(run?.params).toEqual(Object.fromEntries(texts));
    // What MLflow before 1.0 kept in columns are tags since.
    const legacy = [
      ['mlflow.source.name', 'train.py'],
      ['mlflow.source.git.commit', 'c0ffee'],
    ];
    expect(run?.tags).toEqual(Object.fromEntries([...legacy, ...texts]));
  });

  it('gives whole histories: NaN, 64-bit integers, keys in code-unit order', async () => {
    database.insert('experiments', experimentRow());
    database.insert('runs', runRow());
    const big = 2n ** 63n - 1n;
    const keys = ['\ufb01', '😀', 'a'];
    database.insert(
      'metrics',
      ...keys.map((key) => pointRow({ key })),
      pointRow({ step: big, timestamp: -big }),
      pointRow({ value: 0, is_nan: 1, step: 3, timestamp: 1 }),
      pointRow({ value: Number.MAX_VALUE, step: 2, timestamp: 1 }),
      ...Array.from({ length: 2500 }, (_, step) =>
        pointRow({ key: 'many', step, timestamp: step, value: step / 7 }),
      ),
    );
    database.insert(
      'latest_metrics',
      ...keys.map((key) => pointRow({ key })),
      pointRow({ step: big, timestamp: -big }),
      pointRow({ key: 'many' }),
    );
    const run = (await readAll()).workspace[0]?.runs[0];
    expect(run?.metrics.map(([key]) => key)).toEqual(['a', 'loss', 'many', '😀', '\ufb01']);
    expect(run?.metrics[1]?.[1]).toEqual([
      [`${big}`, `-${big}`, 0.5],
      [2, 1, Number.MAX_VALUE],
      [3, 1, 'NaN'],
    ]);
    expect(run?.metrics[2]?.[1]).toHaveLength(2500);
    expect(run?.run.latest_metrics.loss).toEqual([`${big}`, `-${big}`, 0.5]);
  });

  it('gives what a selection names, and tells what is not there', async () => {
    database.insert(
      'experiments',
      experimentRow(),
      experimentRow({ experiment_id: 2, name: 'second', lifecycle_stage: 'deleted' }),
    );
    database.insert('runs', runRow(), runRow({ run_uuid: B, start_time: 1, lifecycle_stage: 'deleted' }));
    const ids = async (selection: Partial<Selection>) => {
      const { workspace, failures } = await readAll(selection);
      return [
        workspace.flatMap(({ runs }) => runs.map(({ run }) => run.run_id)),
        failures.map(({ message }) => message),
      ];
    };
    expect(await ids({})).toEqual([[B, A], []]);
    expect(await ids({ view: 'active' })).toEqual([[A], []]);
    expect(await ids({ view: 'deleted' })).toEqual([[B], []]);
    expect(await ids({ runs: [B] })).toEqual([[B], []]);
    expect(await ids({ runs: ['bb'] })).toEqual([[B], []]);
    expect(await ids({ filter: 'attributes.start_time < 5' })).toEqual([[B], []]);
    expect(await ids({ max_runs: 1, order_by: ['start_time DESC'] })).toEqual([[A], []]);
    const where = database.path;
    expect(await ids({ experiments: ['firs'] })).toEqual([
      [],
      [`${where}: there is no such experiment; did you mean "first"?`],
    ]);
    expect(await ids({ experiments: ['second'], view: 'active' })).toEqual([[], [`${where}: it is deleted`]]);
    expect(await ids({ runs: [B], view: 'active' })).toEqual([
      [],
      [`${where}: the run is deleted, its experiment active`],
    ]);
    expect(await ids({ runs: ['nothing'] })).toEqual([
      [],
      [`${where}: there is no such run in the selected experiments`],
    ]);
  });

  it('leaves out one run whose row MLflow did not write, and tells it', async () => {
    database.insert('experiments', experimentRow());
    database.execute('PRAGMA ignore_check_constraints = ON');
    database.insert('runs', runRow(), runRow({ run_uuid: B, status: 'ODD' }));
    const { workspace, failures } = await readAll();
    expect(workspace[0]?.runs.map(({ run }) => run.run_id)).toEqual([A]);
    expect(failures).toMatchObject([{ code: 'SOURCE_ITEM', object: `run ${B} of experiment "first"` }]);
  });

  it('reads one workspace, and tells of others', async () => {
    database.insert(
      'experiments',
      experimentRow(),
      experimentRow({ experiment_id: 2, name: 'theirs', workspace: 'team-a' }),
    );
    const names = async (end: string) => {
      const { workspace, losses } = await readAll({}, {}, end);
      return [workspace.map(({ experiment }) => experiment.name), losses.map(({ code }) => code)];
    };
    expect(await names('')).toEqual([['first'], ['KIND_NOT_HELD']]);
    expect(await names('?workspace=default')).toEqual([['first'], []]);
    expect(await names('?workspace=team-a')).toEqual([['theirs'], []]);
    await expect(readAll({}, {}, '?workspace=nobody')).rejects.toMatchObject({
      code: 'LOCATION',
      hint: 'It has: default, team-a.',
    });
  });

  it('tells what it holds that mlferry does not carry', async () => {
    database.execute('CREATE TABLE label_schemas (schema_id VARCHAR(36), is_default BOOLEAN)');
    database.insert('label_schemas', { schema_id: 's', is_default: 0 }, { schema_id: 't', is_default: 1 });
    const { losses } = await readAll();
    expect(losses).toMatchObject([
      { code: 'KIND_NOT_HELD', count: 1, detail: expect.stringContaining('label schemas (1)') },
    ]);
    expect((await readAll({ experiments: ['*'] })).losses).toEqual([]);
  });
});

describe('logged models, versions and traces', () => {
  const model = {
    model_id: 'm-1',
    experiment_id: 1,
    name: 'net',
    status: 2,
    artifact_location: './mlruns/1/models/m-1/artifacts',
  };
  const times = { creation_timestamp_ms: 1, last_updated_timestamp_ms: 2 };

  async function objects(kind: string, selection: Partial<Selection> = {}) {
    const { options, losses } = readerOptions(directory);
    const reader = await openReader(database.path, options);
    const scope = {
      selection: { ...ALL_ACTIVE, view: 'all', ...selection },
      experiments: await collect(reader.experiments({ ...ALL_ACTIVE, view: 'all' })),
      isChosen: () => true,
      isHeld: () => false,
    } as const;
    const found = [];
    for await (const each of reader.objects?.get(kind)?.read(scope) ?? [])
      found.push({ record: (await each.whole?.()) ?? each.record, files: await collect(each.artifacts()) });
    await reader.close();
    return { found, losses };
  }

  it('have their files, and deleted ones are told', async () => {
    database.insert('experiments', experimentRow());
    database.insert('runs', runRow());
    database.insert(
      'logged_models',
      { ...model, ...times, source_run_id: A },
      { ...model, ...times, model_id: 'm-2', lifecycle_stage: 'deleted' },
    );
    database.insert('registered_models', {
      name: 'reg',
      creation_time: 1,
      last_updated_time: 2,
      description: '',
    });
    const version = { name: 'reg', creation_time: 3, last_updated_time: 4, status: 'READY' };
    database.insert(
      'model_versions',
      { ...version, version: 2, source: 'models:/m-1', current_stage: 'None' },
      { ...version, version: 10, source: `runs:/${A}/../../other`, current_stage: 'None' },
      { ...version, version: 3, current_stage: 'Deleted_Internal' },
    );
    database.insert('registered_model_aliases', { name: 'reg', alias: 'best', version: 2 });
    const file = join(directory, 'mlruns/1/models/m-1/artifacts/MLmodel');
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, 'flavors: {}');
    const files = [{ path: 'MLmodel', size: 11 }];
    const models = await objects('logged_model');
    expect(models.found).toMatchObject([
      { record: { model_id: 'm-1', status: 'LOGGED_MODEL_READY' }, files },
    ]);
    expect(models.losses).toMatchObject([{ code: 'LOGGED_MODELS', count: 1 }]);
    const versions = await objects('model_version');
    expect(versions.found).toMatchObject([
      { record: { version: '2', aliases: ['best'] }, files },
      { record: { version: '10', aliases: [] }, files: [] },
    ]);
    expect(versions.losses).toMatchObject([{ code: 'ARTIFACTS_UNREACHABLE', of: { id: 'reg/10' } }]);
  });

  it('have spans in the store, and values in columns where MLflow 3.17 moved them', async () => {
    database.insert('experiments', experimentRow());
    database.insert('trace_info', {
      ...{ request_id: 'tr-1', experiment_id: 1, timestamp_ms: 5, status: 'OK', trace_name: 'answer' },
      ...{ session_id: 's', input_tokens: 3, total_tokens: 2n ** 60n, input_cost: 1, total_cost: 1e-7 },
    });
    database.insert('trace_tags', {
      request_id: 'tr-1',
      key: 'mlflow.trace.spansLocation',
      value: 'TRACKING_STORE',
    });
    database.insert('trace_request_metadata', { request_id: 'tr-1', key: 'long', value: 'x'.repeat(3000) });
    database.insert('entity_associations', {
      ...{
        association_id: 'a',
        source_type: 'trace',
        source_id: 'tr-1',
        destination_type: 'run',
        destination_id: A,
      },
    });
    const span = {
      span_id: 'AAAAAAAAAAE=',
      trace_id: 'AAAAAAAAAAAAAAAAAAAAAQ==',
      name: 'root',
      start_time_unix_nano: 7,
    };
    database.insert('spans', {
      trace_id: 'tr-1',
      experiment_id: 1,
      span_id: '1',
      status: 'OK',
      start_time_unix_nano: 7,
      content: JSON.stringify(span),
    });
    const { found, losses } = await objects('trace');
    expect(losses).toEqual([]);
    expect(found).toMatchObject([
      {
        record: {
          tags: { 'mlflow.traceName': 'answer' },
          trace_metadata: {
            long: 'x'.repeat(3000),
            'mlflow.trace.session': 's',
            'mlflow.trace.tokenUsage': `{"input_tokens": 3, "total_tokens": ${2n ** 60n}}`,
            'mlflow.trace.cost': '{"input_cost": 1.0, "total_cost": 1e-07}',
          },
          linked_runs: [{ run_id: A }],
          spans: [{ span_id: '0000000000000001', name: 'root' }],
        },
        files: [],
      },
    ]);
  });
});

describe('artifacts of a database', () => {
  const below = `1/${A}/artifacts`;

  async function put(root: string) {
    await mkdir(join(root, below), { recursive: true });
    await writeFile(join(root, below, 'a.txt'), 'content');
  }

  async function read(
    artifact_uri: string,
    options: Partial<PlaceOptions> = {},
    ...others: ReturnType<typeof runRow>[]
  ) {
    database.insert('experiments', experimentRow());
    database.insert('runs', runRow({ artifact_uri }), ...others);
    const { workspace, losses } = await readAll({}, options);
    const files = workspace[0]?.runs[0]?.artifacts.map(([path, bytes]) => `${path} ${bytes}`);
    return { files, losses: losses.map(({ code, detail }) => `${code} ${detail}`) };
  }

  const found = { files: ['a.txt content'], losses: [] };
  const unreachable = (root: string) => ({
    files: [],
    losses: [
      expect.stringContaining(`ARTIFACTS_UNREACHABLE The artifact root ${root} is not on this machine`),
    ],
  });

  it.each([
    ['a relative path', './mlruns', `./mlruns/${below}`],
    ['a relative URI', 'mlruns', `file:./mlruns/${below}`],
    ['a path of another machine', 'mlruns', `/home/somebody/project/mlruns/${below}`],
    ['a path of Windows', 'mlruns', `file:///C:/Learning Content/mlruns/${below}`],
    ['a path of Windows with one slash', 'mlruns', `file:C:/Users/x/mlruns/${below}`],
    ['a server’s', 'mlartifacts', `mlflow-artifacts:/${below}`],
    ['a server’s, in mlruns', 'mlruns', `mlflow-artifacts://host:5000/${below}`],
  ])('are found beside it by %s', async (_, root, uri) => {
    await put(join(directory, root));
    expect(await read(uri)).toEqual(found);
  });

  it('are found where they are, and where --artifacts-root says', async () => {
    const elsewhere = join(directory, 'elsewhere');
    await put(elsewhere);
    expect(await read(`${elsewhere}/${below}`)).toEqual(found);
    await rename(elsewhere, join(directory, 'moved'));
    database.execute('DELETE FROM runs; DELETE FROM experiments');
    expect(await read(`s3://bucket/${below}`, { artifactsRoot: join(directory, 'moved') })).toEqual(found);
    await expect(readAll({}, { artifactsRoot: join(directory, 'not there') })).rejects.toMatchObject({
      code: 'LOCATION',
    });
  });

  it.each([
    ['s3://bucket', `s3://bucket/${below}`],
    ['C:/data', `file:///C:/data/${below}`],
    ['mlflow-artifacts:/', `mlflow-artifacts:/${below}`],
    ['/nowhere/mlruns', `/nowhere/mlruns/${below}`],
  ])('are told once when %s cannot be reached', async (root, uri) => {
    expect(await read(uri, {}, runRow({ run_uuid: B, artifact_uri: uri.replace(A, B) }))).toEqual(
      unreachable(root),
    );
  });

  it('are none where their root is known and empty', async () => {
    expect(await read(`./mlruns/${below}`)).toEqual({ files: [], losses: [] });
    database.execute('DELETE FROM runs; DELETE FROM experiments');
    expect(await read(`${directory}/mlruns/${below}`)).toEqual({ files: [], losses: [] });
  });

  it('are never files of anything else', async () => {
    await writeFile(join(directory, 'secret'), 'secret');
    expect((await read(directory)).files).toEqual([]);
    for (const uri of [`mlflow-artifacts:/../${below}`, `./mlruns/../..${directory}`]) {
      database.execute('DELETE FROM runs; DELETE FROM experiments');
      expect((await read(uri)).files).toEqual([]);
    }
    await mkdir(join(directory, 'mlruns/1', A), { recursive: true });
    await symlink('/etc', join(directory, 'mlruns', below));
    database.execute('DELETE FROM runs; DELETE FROM experiments');
    expect(await read(`./mlruns/${below}`)).toEqual({
      files: [],
      losses: [expect.stringContaining('ARTIFACTS_NOT_CARRIED')],
    });
  });
});
