import { type BinaryLike, createCipheriv, createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';
import type { TestServer } from '../servers/start-server.ts';

const BLOCK = 4 * 1024 * 1024;

/** How many points of a key a run gets. */
export type KeySizes = Readonly<Record<string, number>>;

/** How many points a run has, and the SHA-256 of all of them. */
export interface PointSum {
  readonly points: number;
  readonly sha256: string;
}

const createdExperiment = z.object({ experiment_id: z.string() });
const createdRun = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });

async function post(server: TestServer, route: string, body: unknown): Promise<unknown> {
  const response = await fetch(`${server.url}/api/2.0/mlflow/${route}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
  return response.json();
}

/** A finished run in an experiment of its own. */
export async function createRun(server: TestServer, experiment: string) {
  const { experiment_id } = createdExperiment.parse(
    await post(server, 'experiments/create', { name: experiment }),
  );
  const created = await post(server, 'runs/create', {
    experiment_id,
    run_name: 'large',
    user_id: 'tests',
    start_time: 1_700_000_000_000,
  });
  const { run_id } = createdRun.parse(created).run.info;
  await post(server, 'runs/update', { run_id, status: 'FINISHED', end_time: 1_700_000_100_000 });
  return { experiment_id, run_id };
}

/** Logs points straight into the server's SQLite database: a million through REST takes minutes. */
export function addPoints(server: TestServer, run_id: string, keys: KeySizes): void {
  using database = new DatabaseSync(join(server.directory, 'mlflow.db'));
  database.exec('BEGIN');
  const insert = (table: string) =>
    database.prepare(
      `INSERT INTO ${table} (run_uuid, key, step, timestamp, value, is_nan) VALUES (?, ?, ?, ?, ?, 0)`,
    );
  const [metrics, latest] = [insert('metrics'), insert('latest_metrics')];
  for (const [key, size] of Object.entries(keys)) {
    for (let step = 0; step < size; step += 1) {
      const row = [run_id, key, step, 1_700_000_000_000 + step * 7, Math.sin(step) / 3] satisfies Array<
        string | number
      >;
      metrics.run(...row);
      if (step === size - 1) latest.run(...row);
    }
  }
  database.exec('COMMIT');
}

/** All points that a server's SQLite database has of the only run of an experiment. */
export function pointsOf(server: TestServer, experiment: string): PointSum {
  using database = new DatabaseSync(join(server.directory, 'mlflow.db'), { readOnly: true });
  const rows = database
    .prepare(
      'SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = (SELECT run_uuid FROM runs ' +
        'JOIN experiments USING (experiment_id) WHERE experiments.name = ?) ORDER BY key, step, timestamp, value',
    )
    .iterate(experiment);
  const hash = createHash('sha256');
  let points = 0;
  for (const row of rows) {
    hash.update(`${Object.values(row).join(' ')}\n`);
    points += 1;
  }
  return { points, sha256: hash.digest('hex') };
}

/** Writes a file of `size` bytes that compresses well or not at all, and returns its SHA-256. */
export async function writeLargeFile(
  path: string,
  size: number,
  kind: 'random' | 'repetitive',
): Promise<string> {
  const hash = createHash('sha256');
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  const zeros = Buffer.alloc(BLOCK);
  const line = (block: number): BinaryLike => `step ${block} loss 0.125 accuracy 0.875\n`;
  function* blocks() {
    for (let at = 0, block = 0; at < size; at += BLOCK, block += 1) {
      const length = Math.min(BLOCK, size - at);
      const bytes =
        kind === 'random'
          ? cipher.update(zeros.subarray(0, length))
          : Buffer.alloc(length, String(line(block)));
      hash.update(bytes);
      yield bytes;
    }
  }
  await mkdir(dirname(path), { recursive: true });
  await pipeline(blocks, createWriteStream(path));
  return hash.digest('hex');
}

/** SHA-256 of a file. */
export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: BLOCK }), hash);
  return hash.digest('hex');
}

/** The files below a server's artifact directory. */
export function artifactsDirectory(server: TestServer): string {
  return join(server.directory, 'artifacts');
}
