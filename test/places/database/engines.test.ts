import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import type { Reader } from '../../../src/places/place.ts';
import { placeAt } from '../../../src/places/registry.ts';
import { runMlferry } from '../../acceptance/run-mlferry.ts';
import { collect, readerOptions } from '../memory-workspace.ts';
import { ENGINES, type ServerTestDatabase } from './database-servers.ts';
import { experimentRow, makeDatabase, pointRow, runRow } from './make-database.ts';

const ALL = { ...ALL_ACTIVE, view: 'all' } as const;
const A = 'a'.repeat(32);
const B = 'b'.repeat(32);
const LONG = 'c'.repeat(32);
const LENGTH = 30_000;

/** Everything that engines hold in different ways: texts, 64-bit integers, doubles, truth values, JSON, keys in their order. */
function fill(path: string): void {
  const database = makeDatabase(path);
  database.insert(
    'experiments',
    experimentRow({ creation_time: 5 }),
    experimentRow({ experiment_id: 0, name: 'ünï 日本 😀', lifecycle_stage: 'deleted' }),
  );
  database.insert('experiment_tags', { experiment_id: 1, key: 'a', value: 'x'.repeat(20_000) });
  database.insert(
    'runs',
    runRow(),
    runRow({
      run_uuid: B,
      start_time: null,
      end_time: null,
      lifecycle_stage: 'deleted',
      deleted_time: 5,
      name: null,
    }),
    runRow({ run_uuid: LONG }),
  );
  for (const table of ['params', 'tags'])
    database.insert(
      table,
      { run_uuid: A, key: 'é/b:c', value: 'a\nb \'"\\ 😀' },
      { run_uuid: A, key: 'empty', value: '' },
    );
  const far = 2n ** 63n - 1n;
  const values = [0.1, -1e-300, Number.MAX_VALUE, 5e-324, 1 / 3, 123456789012345680000, 2 ** 53 + 2];
  database.insert(
    'metrics',
    ...['b', 'B', 'a', '_', 'ö', '日本', '\ufb01', '😀'].map((key, step) => pointRow({ key, step })),
    ...values.map((value, step) => pointRow({ key: 'doubles', value, step })),
    pointRow({ key: 'nan', value: 0, is_nan: 1 }),
    pointRow({ key: 'nan', value: 0.5 }),
    pointRow({ key: 'far', step: far, timestamp: -far }),
    ...Array.from({ length: LENGTH }, (_, step) =>
      pointRow({ run_uuid: LONG, key: `key ${step % 3}`, step, value: step / 7 }),
    ),
  );
  database.insert(
    'latest_metrics',
    pointRow({ key: '😀', step: 7 }),
    pointRow({ key: '\ufb01' }),
    pointRow({ key: 'nan', value: 0, is_nan: 1 }),
    pointRow({ key: 'far', step: far }),
  );
  database.insert('datasets', {
    dataset_uuid: 'd',
    experiment_id: 1,
    name: 'data',
    digest: '1',
    dataset_source_type: 'local',
    dataset_source: '{}',
    dataset_schema: '{"a": 1}',
  });
  database.insert('logged_models', {
    model_id: 'm-1',
    experiment_id: 1,
    name: 'net',
    artifact_location: './mlruns/1/models/m-1/artifacts',
    status: 3,
    creation_timestamp_ms: 1,
    last_updated_timestamp_ms: 2,
  });
  database.insert('logged_model_metrics', {
    model_id: 'm-1',
    metric_name: 'acc',
    metric_timestamp_ms: 1,
    metric_step: far,
    metric_value: 1 / 3,
    experiment_id: 1,
    run_id: A,
  });
  for (const kind of ['param', 'tag'])
    database.insert(`logged_model_${kind}s`, {
      model_id: 'm-1',
      experiment_id: 1,
      [`${kind}_key`]: 'k',
      [`${kind}_value`]: 'v',
    });
  const link = { destination_id: 'm-1', step: 3 };
  database.insert(
    'inputs',
    {
      input_uuid: 'i',
      source_type: 'DATASET',
      source_id: 'd',
      destination_type: 'RUN',
      destination_id: A,
      step: 0,
    },
    { input_uuid: 'j', source_type: 'RUN_INPUT', source_id: A, destination_type: 'MODEL_INPUT', ...link },
    { input_uuid: 'k', source_type: 'RUN_OUTPUT', source_id: A, destination_type: 'MODEL_OUTPUT', ...link },
  );
  database.insert('input_tags', { input_uuid: 'i', name: 'mlflow.data.context', value: 'training' });
  const times = { creation_time: 1, last_updated_time: 2 };
  database.insert('registered_models', { name: 'b', ...times }, { name: 'B c', ...times, description: 'x' });
  database.insert('registered_model_tags', { name: 'b', key: 'k', value: 'v' });
  for (const version of [10, 2]) {
    const of = { name: 'b', version };
    database.insert('model_versions', {
      ...of,
      ...times,
      current_stage: 'None',
      source: `runs:/${A}/m`,
      run_id: A,
      status: 'READY',
    });
    database.insert('model_version_tags', { ...of, key: 'k', value: 'v' });
  }
  database.insert('registered_model_aliases', { name: 'b', alias: 'best', version: 10 });
  database.insert('trace_info', {
    request_id: 'tr-1',
    experiment_id: 1,
    timestamp_ms: 5,
    status: 'OK',
    total_tokens: far,
    total_cost: 0.1,
  });
  database.insert('trace_tags', {
    request_id: 'tr-1',
    key: 'mlflow.trace.spansLocation',
    value: 'TRACKING_STORE',
  });
  database.insert('trace_request_metadata', { request_id: 'tr-1', key: 'k', value: 'v' });
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
  const said = {
    trace_id: 'tr-1',
    created_timestamp: 1,
    last_updated_timestamp: 2,
    source_type: 'HUMAN',
    valid: 0,
  };
  database.insert(
    'assessments',
    {
      ...said,
      assessment_id: 'a-1',
      name: 'good',
      assessment_type: 'feedback',
      value: 'true',
      assessment_metadata: '{"k": "v"}',
    },
    {
      ...said,
      assessment_id: 'a-2',
      name: 'list',
      assessment_type: 'expectation',
      value: '[1, 1.0, {"a": null}]',
    },
  );
  database.insert('entity_associations', {
    association_id: 'a',
    source_type: 'trace',
    source_id: 'tr-1',
    destination_type: 'run',
    destination_id: A,
  });
  database.insert('scorers', { experiment_id: 1, scorer_name: 'polite', scorer_id: 's' });
  database.insert('scorer_versions', {
    scorer_id: 's',
    scorer_version: 2,
    serialized_scorer: '{"a": 1}',
    creation_time: 3,
  });
  database.insert('evaluation_datasets', {
    dataset_id: 'd-1',
    name: 'judged',
    created_time: 1,
    last_update_time: 2,
  });
  database.insert('evaluation_dataset_tags', { dataset_id: 'd-1', key: 'k', value: 'v' });
  database.insert('entity_associations', {
    association_id: 'b',
    source_type: 'evaluation_dataset',
    source_id: 'd-1',
    destination_type: 'experiment',
    destination_id: '1',
  });
  database.insert('evaluation_dataset_records', {
    ...{
      dataset_record_id: 'dr-1',
      dataset_id: 'd-1',
      created_time: 1,
      last_update_time: 2,
      input_hash: 'h',
    },
    ...{
      inputs: '{"b": 1.0, "a": [1, null, "ü"]}',
      outputs: '{"mlflow_wrapped": 1}',
      source: '{"source_type": "HUMAN"}',
    },
  });
  database.close();
}

/** All rows of the file go to another engine, which has tables of the same names. */
async function moveRows(path: string, to: ServerTestDatabase): Promise<void> {
  const file = new DatabaseSync(path, { readOnly: true });
  for (const { name } of file.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all()) {
    const table = String(name);
    if (table === 'alembic_version' || table.startsWith('sqlite_')) continue;
    const columns = file.prepare('SELECT name, type FROM pragma_table_info(?)').all(table);
    const isFlag = new Set(
      columns.flatMap(({ name: column, type }) => (type === 'BOOLEAN' ? [String(column)] : [])),
    );
    // Not those that are made of others.
    const names = columns.map((column) => `"${String(column.name)}"`).join(', ');
    const statement = file.prepare(`SELECT ${names} FROM "${table}"`);
    statement.setReadBigInts(true);
    const rows = statement
      .all()
      .map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([column, value]) => [
            column,
            isFlag.has(column) ? value === 1n : typeof value === 'bigint' ? String(value) : value,
          ]),
        ),
      );
    if (rows.length > 0) await to.insert(table, rows);
  }
  file.close();
}

/** Everything that a reader gives, as it comes. */
async function readAll(reader: Reader) {
  const experiments = await collect(reader.experiments(ALL));
  const runs = [];
  for (const experiment of experiments)
    for await (const { run, metrics } of reader.runs(experiment, ALL)) {
      const series = await collect(metrics());
      runs.push({
        run,
        series: series.map(({ key, points: { steps, timestamps, values } }) => ({
          key,
          steps,
          timestamps,
          values,
        })),
      });
    }
  const objects: Record<string, unknown> = {};
  for (const [kind, { read }] of reader.objects ?? []) {
    const all = await collect(
      read({ selection: ALL, experiments, isChosen: () => true, isHeld: () => true }),
    );
    objects[kind] = await Promise.all(all.map((each) => each.whole?.() ?? each.record));
  }
  return { experiments, runs, objects };
}

let directory: string;
let file: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-engines-'));
  file = join(directory, 'mlflow.db');
  fill(file);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const open = async (location: string) => {
  const { options, failures } = readerOptions(directory);
  return { reader: await openReader(location, options), failures };
};

describe.each(ENGINES)('$name', ({ name, isThere, make }) => {
  let database: ServerTestDatabase | undefined;
  beforeAll(async () => {
    if (!(await isThere())) return;
    database = await make();
    await moveRows(file, database);
  });
  afterAll(() => database?.drop());
  const own = (skip: (why: string) => void): ServerTestDatabase => {
    if (database === undefined) skip(`${name} does not run here`);
    if (database === undefined) throw new Error('skipped');
    return database;
  };

  it('gives what SQLite gives of the same rows', async ({ skip }) => {
    const { uri } = own(skip);
    const sqlite = await open(file);
    const wanted = await readAll(sqlite.reader);
    await sqlite.reader.close();
    const filled = Object.values(wanted.objects).filter((all) => Array.isArray(all) && all.length > 0);
    expect(filled.length).toBeGreaterThanOrEqual(7);
    const { reader, failures } = await open(uri);
    const found = await readAll(reader);
    await reader.close();
    expect(failures).toEqual([]);
    expect(found).toEqual(wanted);
    expect((await readdir(directory)).filter((entry) => entry.startsWith('spool'))).toEqual([]);
  });

  it('is read as of one moment, several histories at a time', async ({ skip }) => {
    const { uri, execute, insert } = own(skip);
    const { reader } = await open(uri);
    const experiments = await collect(reader.experiments(ALL));
    await execute(`UPDATE "runs" SET "name" = 'changed'`);
    await insert('metrics', [{ ...pointRow({ run_uuid: LONG, key: 'later' }), is_nan: false }]);
    try {
      const runs = [];
      for (const experiment of experiments) runs.push(...(await collect(reader.runs(experiment, ALL))));
      expect(runs.map(({ run }) => run.run_name)).toEqual(['', 'a run', 'a run']);
      const long = runs.find(({ run }) => run.run_id === LONG);
      const [one, two] = [long?.metrics(), long?.metrics()];
      const first = one?.[Symbol.asyncIterator]();
      await first?.next();
      const whole = two === undefined ? [] : await collect(two);
      expect(whole.reduce((sum, { points }) => sum + points.length, 0)).toBe(LENGTH);
      let rest = 0;
      while ((await first?.next())?.done === false) rest += 1;
      expect(rest).toBe(whole.length - 1);
    } finally {
      await reader.close();
      await execute(`UPDATE "runs" SET "name" = 'a run' WHERE "run_uuid" <> '${B}'`);
      await execute(
        `UPDATE "runs" SET "name" = NULL WHERE "run_uuid" = '${B}'; DELETE FROM "metrics" WHERE "key" = 'later'`,
      );
    }
  });

  it('that goes away meanwhile ends the job with the reason', async ({ skip }) => {
    const { uri, disconnectOthers } = own(skip);
    const { reader } = await open(uri);
    const [experiment] = await collect(reader.experiments(ALL));
    await disconnectOthers();
    const reading = experiment && collect(reader.runs(experiment, ALL));
    await expect(reading).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await reader.close();
  });

  it('that goes away within a long history is no end of it', async ({ skip }) => {
    const { uri, disconnectOthers } = own(skip);
    const { reader } = await open(uri);
    const runs = [];
    for (const experiment of await collect(reader.experiments(ALL)))
      runs.push(...(await collect(reader.runs(experiment, ALL))));
    const history = runs
      .find(({ run }) => run.run_id === LONG)
      ?.metrics()
      [Symbol.asyncIterator]();
    const first = await history?.next();
    let points: number = first?.done === false ? first.value.points.length : 0;
    expect(points).toBeGreaterThan(0);
    await disconnectOthers();
    const rest = async () => {
      for (let next = await history?.next(); next?.done === false; next = await history?.next())
        points += next.value.points.length;
      return points;
    };
    // What was put aside already is whole.
    const end = await rest().catch((error: unknown) => error);
    if (end !== LENGTH) expect(end).toMatchObject({ code: 'UNAVAILABLE' });
    await reader.close().catch(() => undefined);
  });

  it('refuses who it does not know, and what is not there, without telling the password', async ({
    skip,
  }) => {
    const { uri } = own(skip);
    const wrong = [
      [uri.replace(/\/\/\w+@/, '//nobody:secret-of-mine@'), 6, 'DENIED'],
      [uri.replace(/\w+$/, 'mlferry_not_there'), 2, 'LOCATION'],
      [uri.replace(/:\d+\//, ':1/'), 7, 'UNAVAILABLE'],
    ] as const;
    for (const [place, exit, code] of wrong) {
      const { status, stdout, stderr } = await runMlferry(['inspect', place]);
      expect([status, stderr]).toEqual([exit, expect.stringContaining(`error ${code}`)]);
      expect(stdout + stderr).not.toContain('secret-of-mine');
    }
    expect(placeAt(uri).identity()).not.toContain('@');
  });

  it('of which tables are out of reach is no database without them', async ({ skip }) => {
    const { uri, execute } = own(skip);
    const [, start = '', end = ''] = /^(.*:\/\/)\w+(@.*)$/.exec(uri) ?? [];
    const user = `reader_${process.pid}`;
    const database = /(\w+)$/.exec(uri)?.[1];
    const isMysql = name !== 'PostgreSQL';
    await execute(isMysql ? `CREATE USER ${user}@'%'` : `CREATE ROLE ${user} LOGIN`);
    try {
      const grant = (table: string) =>
        execute(
          `GRANT SELECT ON ${isMysql ? `${database}.` : ''}${table} TO ${user}${isMysql ? "@'%'" : ''}`,
        );
      const denied = async (told: string) => {
        const { status, stderr } = await runMlferry(['inspect', `${start}${user}${end}`]);
        expect([status, stderr]).toEqual([6, expect.stringContaining('error DENIED')]);
        expect(stderr).toContain(told);
      };
      await grant('runs');
      await denied('alembic_version');
      const all = [
        ...new DatabaseSync(file).prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all(),
      ];
      for (const { name: table } of all) if (table !== 'trace_info') await grant(String(table));
      await denied('trace_info');
    } finally {
      await execute(isMysql ? `DROP USER ${user}@'%'` : `DROP OWNED BY ${user}`);
      if (!isMysql) await execute(`DROP ROLE ${user}`);
    }
  });

  it('is read on the command line, with credentials of the environment', async ({ skip }) => {
    const { uri } = own(skip);
    const environment = {
      MLFERRY_FROM_USERNAME: /\/\/(\w+)@/.exec(uri)?.[1] ?? '',
      // PostgreSQL trusts any; MariaDB wants none.
      ...(name === 'PostgreSQL' ? { MLFERRY_FROM_PASSWORD_COMMAND: 'echo a-secret-of-mine' } : {}),
    };
    const { status, stdout, stderr } = await runMlferry(['inspect', uri.replace(/\w+@/, ''), '--json'], {
      environment,
    });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ total: { runs: 2, points: LENGTH + 18 } });
    expect(status).toBe(0);
    const archive = ['backup', uri, join(directory, `${name}.tar`), '--artifacts-root', directory, '-q'];
    expect(await runMlferry(archive)).toEqual({ status: 0, stdout: '', stderr: '' });
  });
});
