import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { expect, test } from 'vitest';
import { runDigest } from '../../src/model/canonical.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import { openReader } from '../places/server/filled-server.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport } from './run-mlferry.ts';
import { startWatchedProxy } from './watched-proxy.ts';

/** `MLFERRY_TEST_LONG=1`: the ten thousand. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const RUNS = long ? 10_000 : 2_000;

/** A finished run as the newest MLflow keeps it, written to its database: ten thousand requests would take minutes. */
interface Row {
  readonly run_id: string;
  readonly experiment_id: number;
  readonly number: number;
  readonly tags: ReadonlyArray<readonly [key: string, value: string]>;
}

function insertRuns(server: TestServer, rows: readonly Row[]): void {
  const database = new DatabaseSync(join(server.directory, 'mlflow.db'));
  database.exec('PRAGMA busy_timeout = 60000');
  const run = database.prepare(
    `INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
       source_version, lifecycle_stage, artifact_uri, experiment_id)
     VALUES (?, ?, 'UNKNOWN', '', '', 'user', 'FINISHED', ?, ?, '', 'active', ?, ?)`,
  );
  const point = 'INTO %s (key, value, timestamp, step, is_nan, run_uuid) VALUES (?, ?, ?, 0, 0, ?)';
  const metric = database.prepare(`INSERT ${point.replace('%s', 'metrics')}`);
  const latest = database.prepare(`INSERT ${point.replace('%s', 'latest_metrics')}`);
  const param = database.prepare('INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)');
  const tag = database.prepare('INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)');
  database.exec('BEGIN IMMEDIATE');
  for (const { run_id, experiment_id, number, tags } of rows) {
    const start = 1_700_000_000_000 + number;
    const root = `mlflow-artifacts:/${experiment_id}/${run_id}/artifacts`;
    run.run(run_id, `run ${number}`, start, start + 1000, root, experiment_id);
    metric.run('loss', number / 7, start, run_id);
    latest.run('loss', number / 7, start, run_id);
    param.run('lr', String(number), run_id);
    for (const [key, value] of [['mlflow.runName', `run ${number}`] as const, ...tags])
      tag.run(key, value, run_id);
  }
  database.exec('COMMIT');
  database.close();
}

const newId = () => randomUUID().replaceAll('-', '');

test('a pass over thousands of unchanged runs costs page scans, and writes nothing', async () => {
  await using source = await startServer();
  await using target = await startServer();
  const from = await startWatchedProxy(source.url);
  const to = await startWatchedProxy(target.url);
  try {
    // One run is copied as ever: it makes the experiment, and shows that rows and requests leave the same.
    const answer = await fetch(`${source.url}/api/2.0/mlflow/experiments/create`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"name": "many"}',
    });
    expect(answer.status).toBe(200);
    insertRuns(source, [{ run_id: newId(), experiment_id: 1, number: 0, tags: [] }]);
    const args = ['copy', from.url, to.url, '-e', 'many'];
    expect(await copyReport(args)).toMatchObject({ exit_status: 0, runs: { created: 1 }, losses: [] });

    const rows = Array.from({ length: RUNS - 1 }, (_, index) => ({
      run_id: newId(),
      experiment_id: 1,
      number: index + 1,
      tags: [],
    }));
    insertRuns(source, rows);
    const { reader } = await openReader(from.url);
    const copies: Row[] = [];
    for await (const experiment of reader.experiments({ ...ALL_ACTIVE, experiments: ['many'] })) {
      for await (const { run } of reader.runs(experiment, ALL_ACTIVE)) {
        const number = Number(run.params.lr);
        if (number === 0) continue;
        const tags = [
          ['mlferry.origin', `${reader.info.fingerprint}/${run.run_id}`],
          ['mlferry.digest', runDigest(run)],
        ] as const;
        copies.push({ run_id: newId(), experiment_id: 1, number, tags });
      }
    }
    await reader.close();
    insertRuns(target, copies);

    from.reset();
    to.reset();
    const report = await copyReport(args);
    expect(report).toMatchObject({
      exit_status: 0,
      experiments: { created: 0 },
      runs: { read: RUNS, created: 0, updated: 0, unchanged: RUNS, failed: 0 },
      sent: { points: 0, artifacts: 0 },
      losses: [],
    });
    const routes = [...from.requests, ...to.requests].map(({ route }) => route);
    const changing = routes.filter((route) => !route.startsWith('GET ') && !route.endsWith('/search'));
    expect(changing).toEqual([]);
    // Pages of 1000 runs of the source and of 250 of the target, and a few requests to get to know the servers.
    expect(routes.length).toBeLessThanOrEqual(RUNS / 1000 + RUNS / 250 + 20);

    // What has grown meanwhile is found among them, and sent alone.
    insertRuns(source, [{ run_id: newId(), experiment_id: 1, number: RUNS, tags: [] }]);
    expect(await copyReport(args)).toMatchObject({
      exit_status: 0,
      runs: { created: 1, unchanged: RUNS },
      sent: { points: 1 },
    });
  } finally {
    await from.close();
    await to.close();
  }
});
