import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { verify } from '../../src/verify/verify.ts';
import { sharedServer } from '../servers/shared-server.ts';

const SAMPLE = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const selection = { view: 'all' } as const;

/** A run of the sample with params, two series, an input and a file. */
const RUN = '5071950eadec4f11bd836e77af67d461';
const KEY = `(SELECT run_uuid FROM tags WHERE key = 'mlferry.origin' AND value LIKE '%/${RUN}')`;
const EXPERIMENT = `(SELECT experiment_id FROM runs WHERE run_uuid = ${KEY})`;
const DATASET = `(SELECT source_id FROM inputs WHERE destination_id = ${KEY})`;
const INPUT = `(SELECT input_uuid FROM inputs WHERE destination_id = ${KEY})`;
const TABLES = [
  ...['experiments', 'experiment_tags', 'runs', 'params', 'tags', 'metrics', 'latest_metrics'],
  ...['datasets', 'inputs', 'input_tags'],
];

const point = (change: string, which = 'step = 30') =>
  `UPDATE metrics SET ${change} WHERE run_uuid = ${KEY} AND key = 'train/loss' AND ${which}`;
const run = (change: string) => `UPDATE runs SET ${change} WHERE run_uuid = ${KEY}`;
const LATEST = `(SELECT max(step) FROM metrics WHERE run_uuid = ${KEY} AND key = 'train/loss')`;
const columns = 'key, value, timestamp, run_uuid, step, is_nan';

/** SQL on the target's database, and the field that must be named. */
const changes: ReadonlyArray<readonly [field: string, sql: string]> = [
  ['run_name', run(`name = 'another'`)],
  ['status', run(`status = 'KILLED'`)],
  ['start_time', run('start_time = start_time + 1')],
  ['end_time', run('end_time = end_time + 1')],
  ['end_time', run('end_time = NULL')],
  ['user_id', run(`user_id = 'somebody else'`)],
  ['lifecycle_stage', run(`lifecycle_stage = 'deleted'`)],
  ['params.epochs', `UPDATE params SET value = '61' WHERE run_uuid = ${KEY} AND key = 'epochs'`],
  ['params.loss', `DELETE FROM params WHERE run_uuid = ${KEY} AND key = 'loss'`],
  ['params.more', `INSERT INTO params (key, value, run_uuid) SELECT 'more', '', ${KEY}`],
  ['tags.mlflow.user', `UPDATE tags SET value = 'x' WHERE run_uuid = ${KEY} AND key = 'mlflow.user'`],
  ['tags.mlflow.source.name', `DELETE FROM tags WHERE run_uuid = ${KEY} AND key = 'mlflow.source.name'`],
  ['tags.more', `INSERT INTO tags (key, value, run_uuid) SELECT 'more', 'y', ${KEY}`],
  ['metrics.train/loss', point('value = value + 1e-12')],
  ['metrics.train/loss', point('value = 0.125', `step = ${LATEST}`)],
  ['metrics.train/loss', point('is_nan = 1')],
  ['metrics.train/loss', point('step = 4711')],
  ['metrics.train/loss', point('timestamp = timestamp - 1')],
  ['metrics.train/loss', `DELETE FROM metrics WHERE run_uuid = ${KEY} AND key = 'train/loss' AND step = 0`],
  [
    'metrics.train/loss',
    `INSERT INTO metrics (${columns}) SELECT 'train/loss', 1.5, 1700000000000, ${KEY}, 7, 0`,
  ],
  [
    'latest_metrics.train/loss',
    `UPDATE latest_metrics SET value = 9 WHERE run_uuid = ${KEY} AND key = 'train/loss'`,
  ],
  ['metrics.train/loss', `DELETE FROM latest_metrics WHERE run_uuid = ${KEY} AND key = 'train/loss'`],
  ['dataset_inputs.#.name', `UPDATE datasets SET name = 'other' WHERE dataset_uuid = ${DATASET}`],
  ['dataset_inputs.#.digest', `UPDATE datasets SET digest = 'other' WHERE dataset_uuid = ${DATASET}`],
  [
    'dataset_inputs.#.source_type',
    `UPDATE datasets SET dataset_source_type = 'other' WHERE dataset_uuid = ${DATASET}`,
  ],
  ['dataset_inputs.#.source', `UPDATE datasets SET dataset_source = '{}' WHERE dataset_uuid = ${DATASET}`],
  ['dataset_inputs.#.schema', `UPDATE datasets SET dataset_schema = '[]' WHERE dataset_uuid = ${DATASET}`],
  ['dataset_inputs.#.profile', `UPDATE datasets SET dataset_profile = '[]' WHERE dataset_uuid = ${DATASET}`],
  [
    'dataset_inputs.#.tags.mlflow.data.context',
    `UPDATE input_tags SET value = 'other' WHERE input_uuid = ${INPUT}`,
  ],
  ['dataset_inputs.#', `DELETE FROM inputs WHERE destination_id = ${KEY}`],
  ['tags.more', `INSERT INTO experiment_tags (key, value, experiment_id) SELECT 'more', 'y', ${EXPERIMENT}`],
];

describe('one change in the database or the files of a server', () => {
  const server = sharedServer();
  let directory: string;
  let source: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'mlferry-mutations-'));
    source = join(directory, 'one.tar');
    // One run with all its kinds of data, so that each verification is quick.
    await copyBetween(SAMPLE, source, { selection: { runs: [RUN] } });
    const { url } = await server();
    const { report } = await copyBetween(source, url);
    expect(report).toMatchObject({ exit_status: 0, runs: { created: 1 } });
    expect(await verify(source, url)).toMatchObject({ items: [], exit_status: 0, runs: { same: 1 } });
  });
  afterAll(() => rm(directory, { recursive: true, force: true }));

  /** Runs SQL, then `task`, and puts all tables back. */
  async function changed(sql: string, task: () => Promise<void>): Promise<void> {
    const database = new DatabaseSync(join((await server()).directory, 'mlflow.db'), {
      enableForeignKeyConstraints: false,
      timeout: 10_000,
    });
    try {
      for (const table of TABLES)
        database.exec(`CREATE TEMP TABLE kept_${table} AS SELECT * FROM main.${table}`);
      expect(database.prepare(sql).run().changes).toBeGreaterThan(0);
      await task();
      database.exec('BEGIN');
      for (const table of TABLES)
        database.exec(`DELETE FROM main.${table}; INSERT INTO main.${table} SELECT * FROM kept_${table}`);
      database.exec('COMMIT');
    } finally {
      database.close();
    }
  }

  test.each(changes)('%s: %s', async (field, sql) => {
    const { url } = await server();
    await changed(sql, async () => {
      const report = await verify(source, url, { selection });
      expect(report.items).toHaveLength(1);
      expect(report.items[0]?.symbol).toBe('*');
      const fields = report.items[0]?.differences.map((difference) => difference.field);
      // The name of the dataset stands for #.
      expect(fields?.map((each) => each.replace(/^(dataset_inputs\.)[^.]+/, '$1#'))).toEqual([field]);
      expect(report.exit_status).toBe(4);
    });
  });

  test('all is as it was', async () => {
    const { url } = await server();
    expect(await verify(source, url, { selection })).toMatchObject({ items: [], exit_status: 0 });
  });

  test('the run itself, and its origin', async () => {
    const { url } = await server();
    await changed(`DELETE FROM tags WHERE run_uuid = ${KEY} AND key = 'mlferry.origin'`, async () => {
      const report = await verify(source, url, { selection });
      expect(report).toMatchObject({
        items: [{ symbol: '+', id: RUN }],
        runs: { others: 1 },
        exit_status: 4,
      });
    });
  });

  test('a copy whose run the source does not have any more, and others that are none', async () => {
    const { url } = await server();
    const sql = `UPDATE tags SET value = replace(value, '${RUN}', '${'f'.repeat(32)}') WHERE run_uuid = ${KEY} AND key = 'mlferry.origin'`;
    await changed(sql, async () => {
      const report = await verify(source, url, { selection });
      expect(report.items.map(({ symbol, kind }) => [symbol, kind])).toEqual([
        ['+', 'run'],
        ['-', 'run'],
      ]);
      expect(report.items[1]?.reason).toContain('f'.repeat(32));
    });
  });

  test('one byte of a file, a file more, a file less', async () => {
    const { url, directory: home } = await server();
    const root = await artifactRoot();
    const path = join(home, 'artifacts', root.replace('mlflow-artifacts:/', ''), 'scaler.json');
    const bytes = await readFile(path);
    const fields = async () =>
      (await verify(source, url, { selection })).items.flatMap(({ differences }) =>
        differences.map(({ field }) => field),
      );

    const flipped = Buffer.from(bytes);
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    await writeFile(path, flipped);
    expect(await fields()).toEqual(['artifacts scaler.json sha256']);
    expect(await verify(source, url, { selection, quick: true })).toMatchObject({ items: [] });
    await writeFile(path, bytes.subarray(1));
    expect(await fields()).toEqual(['artifacts scaler.json size']);
    await rm(path);
    expect(await fields()).toEqual(['artifacts scaler.json']);
    await writeFile(path, bytes);
    await writeFile(`${path}.more`, '');
    expect(await fields()).toEqual(['artifacts scaler.json.more']);
    await rm(`${path}.more`);
    expect(await fields()).toEqual([]);
  });

  test('a server by itself: a history that lacks its latest point is unreadable', async () => {
    const { url } = await server();
    expect(await verify(url, undefined, { selection })).toMatchObject({ items: [], exit_status: 0 });
    await changed(point('value = 0.125', `step = ${LATEST}`), async () => {
      const report = await verify(url, undefined, { selection });
      expect(report).toMatchObject({ items: [{ symbol: '!', kind: 'run' }], exit_status: 3 });
      expect(report.items[0]?.reason).toContain('train/loss');
    });
  });

  async function artifactRoot(): Promise<string> {
    const database = new DatabaseSync(join((await server()).directory, 'mlflow.db'), { readOnly: true });
    try {
      const rows = database.prepare(`SELECT artifact_uri FROM runs WHERE run_uuid = ${KEY}`).all();
      return String(rows[0]?.artifact_uri);
    } finally {
      database.close();
    }
  }
});
