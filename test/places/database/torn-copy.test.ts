import { appendFileSync, utimesSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { takeSnapshot as snapshotOf } from '../../../src/places/database/connect/snapshot.ts';

/** Called after each copy of a file. */
const copied = vi.hoisted(() => ({ look: (_path: string) => {} }));
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof import('node:fs/promises')>();
  return {
    ...real,
    copyFile: async (from: string, to: string, mode?: number) => {
      await real.copyFile(from, to, mode);
      copied.look(from);
    },
  };
});

let directory: string;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-torn-'));
  path = join(directory, 'mlflow.db');
  const database = new DatabaseSync(path);
  // With a log that nobody has open: it is copied without a lock.
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1)');
  database.close();
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('is made anew when somebody wrote while it was made, until it is of one moment', async () => {
  let writes = 2;
  copied.look = (from) => {
    if (from !== path || writes === 0) return;
    writes -= 1;
    utimesSync(path, 1, 1000 + writes);
  };
  const snapshot = await snapshotOf(path, directory);
  expect(writes).toBe(0);
  expect(snapshot.isCopy).toBe(true);
  const copy = new DatabaseSync(snapshot.path);
  expect(copy.prepare('SELECT x FROM t').all()).toEqual([{ x: 1 }]);
  copy.close();
});

it('is an error when it never is', async () => {
  copied.look = (from) => {
    if (from === path) appendFileSync(path, 'more');
  };
  await expect(snapshotOf(path, directory)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  expect(await readdir(directory)).toEqual(['mlflow.db']);
});
