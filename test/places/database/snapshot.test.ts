import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openReader } from '../../../src/places/open.ts';
import { mlferry } from '../../cli/mlferry.ts';
import { readerOptions, readWorkspace } from '../memory-workspace.ts';
import { experimentRow, makeDatabase, pointRow, runRow, type TestDatabase } from './make-database.ts';

let directory: string;
let temporary: string;
let database: TestDatabase;
let path: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-snapshot-'));
  temporary = await mkdtemp(join(tmpdir(), 'mlferry-snapshot-temporary-'));
  path = join(directory, 'mlflow.db');
  database = makeDatabase(path);
  database.insert('experiments', experimentRow());
  database.insert('runs', runRow());
});
afterEach(async () => {
  database.close();
  for (const each of [directory, temporary]) await rm(each, { recursive: true, force: true });
});

const open = (place = path) => openReader(place, readerOptions(temporary).options);
const namesIn = async (place: string) =>
  (await readWorkspace(await open(place))).flatMap(({ runs }) => runs.map(({ run }) => run.run_name));

/** Reading leaves a file as it is, and nothing beside it. */
async function expectUntouched(act: () => Promise<unknown>): Promise<void> {
  const state = async () => [await readdir(directory), (await readFile(path)).toString('base64')];
  const before = await state();
  await act();
  expect(await state()).toEqual(before);
  expect(await readdir(temporary)).toEqual([]);
}

describe('a SQLite file', () => {
  it('is read as it was when it was opened, and writers go on meanwhile', async () => {
    const reader = await open();
    database.execute(`UPDATE runs SET name = 'changed'`);
    const before = await readWorkspace(reader);
    expect(before[0]?.runs[0]?.run.run_name).toBe('a run');
    expect(await namesIn(path)).toEqual(['changed']);
    await expectUntouched(() => namesIn(path));
  });

  it('is read with its write-ahead log while a process has it open, as of one moment', async () => {
    database.execute(`PRAGMA journal_mode = WAL; UPDATE runs SET name = 'in the log'`);
    await expectUntouched(() => namesIn(path));
    const reader = await open();
    database.execute(`UPDATE runs SET name = 'later'`);
    expect((await readWorkspace(reader))[0]?.runs[0]?.run.run_name).toBe('in the log');
  });

  it('is read with a log that nobody has open any more', async () => {
    database.execute(`PRAGMA journal_mode = WAL; UPDATE runs SET name = 'in the log'`);
    const left = join(directory, 'left.db');
    for (const end of ['', '-wal']) await copyFile(path + end, left + end);
    expect(await namesIn(left)).toEqual(['in the log']);
    expect((await readdir(directory)).filter((name) => name.startsWith('left'))).toEqual([
      'left.db',
      'left.db-wal',
    ]);
    database.close();
    database = { ...database, close: () => undefined };
    await expectUntouched(() => namesIn(path));
  });

  it('is read without a transaction that a writer died in', async () => {
    database.execute('PRAGMA cache_size = 1; PRAGMA cache_spill = 1; BEGIN');
    database.execute(`UPDATE runs SET name = 'half'`);
    database.insert('metrics', ...Array.from({ length: 5000 }, (_, step) => pointRow({ step })));
    const left = join(directory, 'left.db');
    for (const end of ['', '-journal']) await copyFile(path + end, left + end);
    database.execute('ROLLBACK');
    expect(await namesIn(left)).toEqual(['a run']);
  });

  it('is waited for while a writer has it', async () => {
    database.execute('BEGIN EXCLUSIVE');
    const names = namesIn(path);
    database.execute(`UPDATE runs SET name = 'written'; COMMIT`);
    expect(await names).toEqual(['written']);
  });

  it('that is damaged is an error', async () => {
    const bytes = await readFile(path);
    await writeFile(path, bytes.fill(0x55, 4096, 8192));
    await expect(open()).rejects.toMatchObject({ code: 'CORRUPT' });
  });
});

describe('a database that is refused', () => {
  const revision = (text: string) => database.execute(`UPDATE alembic_version SET version_num = '${text}'`);

  it.each([
    [
      'newer than known',
      () => revision('ffffffffffff'),
      'UNSUPPORTED',
      'has a schema that this version does not know (revision ffffffffffff)',
    ],
    [
      'of MLflow 1.11',
      () => revision('84291f40a231'),
      'UNSUPPORTED',
      'was made by an MLflow older than 1.12',
    ],
    [
      'without a revision',
      () => database.execute('DELETE FROM alembic_version'),
      'UNSUPPORTED',
      '(no revision)',
    ],
    [
      'without a table',
      () => database.execute('DROP TABLE latest_metrics'),
      'UNSUPPORTED',
      'lacks tables: latest_metrics',
    ],
  ])('%s', async (_, change, code, message) => {
    change();
    await expect(open()).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
    expect(await readdir(temporary)).toEqual([]);
  });

  it('of something else', async () => {
    const other = join(directory, 'other.db');
    const made = new DatabaseSync(other);
    made.exec('CREATE TABLE t (x)');
    made.close();
    await expect(open(other)).rejects.toMatchObject({ code: 'NOT_MLFLOW' });
  });
});

describe('on the command line', () => {
  it('a database is read, and nothing is said of SQLite', async () => {
    const { out, err, status } = await mlferry(['runs', 'list', path], directory);
    expect(out).toContain('a run');
    expect({ err, status }).toEqual({ err: '', status: 0 });
  });

  it.each([
    [['copy', 'samples/mlruns', 'sqlite:///mlflow.db'], 'There is no database'],
    [['runs', 'delete', 'sqlite:///mlflow.db', '-f', 'metrics.a > 1', '-y'], 'There is no database'],
  ])('%j is refused', async (command, message) => {
    const { err, status } = await mlferry(command, directory);
    expect(err).toContain(message);
    expect(status).toBe(2);
  });
});
