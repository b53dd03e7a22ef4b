import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import { sharedServer } from '../servers/shared-server.ts';

/** `MLFERRY_TEST_LONG=1`: the ten thousand. */
const RUNS = process.env.MLFERRY_TEST_LONG === '1' ? 10_000 : 2000;
const EXPERIMENTS = 50;

const source = sharedServer();
const target = sharedServer();

/** Writes runs into the database of a running server, ten of which have `pick = ten` and twenty `pick = twenty`. */
function fill(file: string): void {
  const database = new DatabaseSync(file);
  database.exec('BEGIN');
  const insert = (table: string, columns: string) => {
    const marks = columns.split(',').map(() => '?');
    return database.prepare(`INSERT INTO ${table} (${columns}) VALUES (${marks.join(',')})`);
  };
  const experiment = insert(
    'experiments',
    'experiment_id,name,artifact_location,lifecycle_stage,creation_time,last_update_time',
  );
  const run = insert(
    'runs',
    'run_uuid,name,source_type,user_id,status,start_time,end_time,lifecycle_stage,artifact_uri,experiment_id',
  );
  const tag = insert('tags', 'key,value,run_uuid');
  const param = insert('params', 'key,value,run_uuid');
  const latest = insert('latest_metrics', 'key,value,timestamp,step,is_nan,run_uuid');
  const metric = insert('metrics', 'key,value,timestamp,step,is_nan,run_uuid');
  const time = 1_700_000_000_000;
  for (let n = 1; n <= EXPERIMENTS; n += 1)
    experiment.run(n, `experiment ${n}`, `mlflow-artifacts:/${n}`, 'active', time + n, time + n);
  for (let n = 0; n < RUNS; n += 1) {
    const id = n.toString(16).padStart(8, '0').padStart(32, 'a');
    const owner = 1 + (n % EXPERIMENTS);
    run.run(
      id,
      `run ${n}`,
      'LOCAL',
      'u',
      'FINISHED',
      time + n,
      time + n,
      'active',
      `mlflow-artifacts:/${owner}/${id}/artifacts`,
      owner,
    );
    tag.run('mlflow.runName', `run ${n}`, id);
    param.run('pick', n % (RUNS / 10 + 1) === 7 ? 'ten' : n % (RUNS / 20 + 1) === 9 ? 'twenty' : 'none', id);
    for (const [step, value] of [0.5, 0.1, 0.7 + (n % 10)].entries())
      metric.run('loss', value, time + step, step, 0, id);
    latest.run('loss', 0.7 + (n % 10), time + 2, 2, 0, id);
  }
  database.exec('COMMIT');
  database.close();
}

test('a filtered copy of many runs costs requests by what it keeps', async () => {
  const [from, to] = [await source(), await target()];
  fill(join(from.directory, 'mlflow.db'));
  const [reading, writing] = [await startFaultProxy(from.url), await startFaultProxy(to.url)];

  const requestsOf = async (filter: string, kept: number) => {
    reading.play([]);
    writing.play([]);
    const { report } = await copyBetween(reading.url, writing.url, { selection: { filter }, into: 'kept' });
    expect(report).toMatchObject({ exit_status: 0, runs: { read: kept, created: kept } });
    return { read: reading.requests.length, written: writing.requests.length };
  };

  try {
    const none = await requestsOf("params.pick = 'nothing'", 0);
    const ten = await requestsOf("params.pick = 'ten'", 10);
    const twenty = await requestsOf("params.pick = 'twenty'", 20);
    console.log('requests to the source and to the target, keeping 0, 10, 20:', none, ten, twenty);
    // What does not depend on what is kept: connecting, the experiments, one search over all of them; models and registry.
    // Where nothing fits, a few pages more are read to tell the nearest names.
    expect(none.read).toBeLessThanOrEqual(35);
    for (const [kept, { read, written }] of [
      [10, ten],
      [20, twenty],
    ] as const) {
      expect(read).toBeLessThanOrEqual(20 + 6 * kept);
      expect(written).toBeLessThanOrEqual(15 + 8 * kept);
    }
  } finally {
    await reading.close();
    await writing.close();
  }
});

test('aggregates read the histories that the record does not decide, many in one request', async () => {
  const from = await source();
  const reading = await startFaultProxy(from.url);
  try {
    // All have a least loss of 0.1; a tenth show it to be below 1 by their latest value alone.
    const { report } = await copyBetween(reading.url, join(from.directory, 'aggregate.tar'), {
      selection: { filter: "MIN(metrics.loss) < 1 AND params.pick LIKE 't%'" },
      metrics: false,
    });
    expect(report.runs.read).toBe(30);
    const histories = reading.requests.filter((request) => request.route.includes('get-history'));
    expect(histories.length).toBeLessThanOrEqual(2);
  } finally {
    await reading.close();
  }
});

test('the best of many runs are found without asking each experiment', async () => {
  const from = await source();
  const reading = await startFaultProxy(from.url);
  const searchesOf = async (order_by: string[], file: string) => {
    reading.play([]);
    const { report } = await copyBetween(reading.url, join(from.directory, file), {
      selection: { order_by, max_runs: 5 },
    });
    expect(report).toMatchObject({ exit_status: 0, runs: { read: 5 } });
    return reading.requests.filter((request) => request.route.includes('runs/search')).length;
  };
  try {
    // One search, and the five of at most five experiments again by their ids.
    expect(await searchesOf(['start_time DESC'], 'latest.tar')).toBeLessThanOrEqual(1 + 5);
    expect(await searchesOf(['metrics.loss DESC'], 'best.tar')).toBeLessThanOrEqual(RUNS / 1000 + 1 + 5);
  } finally {
    await reading.close();
  }
});
