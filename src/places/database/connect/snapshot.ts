import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { asMlferryError, isAbsent, MlferryError, systemCode } from '../../../util/errors.ts';
import { loadSqlite } from '../../../util/load-sqlite.ts';
import { BUSY, READONLY_ROLLBACK, sqliteCode, sqliteError } from './sqlite-errors.ts';

/** Where a snapshot of a SQLite file can be read: the file itself, or a copy of it that is ours. */
export interface Snapshot {
  readonly path: string;
  readonly isCopy: boolean;
}

/** How long a writer may keep us waiting, ms: MLflow's own waits 20 seconds for others. */
const PATIENCE = 30_000;
const PAUSE = 50;

/**
 * Finds out how the file can be read as it is at one moment, without a trace in its directory and without keeping a
 * running server from writing. Beside a write-ahead log that is in use it is read where it is: a reader is in nobody's way
 * there. Otherwise a reader would hold up every writer until it ends, so a copy is made under a lock, a reflink where the
 * file system has them. A log or journal that nobody uses any more is copied along: opening the copy works it in.
 */
export async function takeSnapshot(path: string, tempDir: string): Promise<Snapshot> {
  if ((await isInUse(path)) && isReadable(path)) return { path, isCopy: false };
  const copy = join(tempDir, `database-${randomUUID()}.sqlite`);
  const unlock = (await journalMode(path)) === 'wal' ? undefined : await lock(path);
  if (unlock === undefined) return copyUnlocked(path, copy);
  try {
    await copyFiles(path, copy, []);
  } finally {
    unlock();
  }
  return { path: copy, isCopy: true };
}

/** Whether SQLite can read the file where it is: without rights in its directory it may not be able to. */
function isReadable(path: string): boolean {
  const { DatabaseSync } = loadSqlite();
  let database: InstanceType<typeof DatabaseSync> | undefined;
  try {
    database = new DatabaseSync(path, { readOnly: true });
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return true;
  } catch (error) {
    if (sqliteCode(error) === undefined) throw error;
    return false;
  } finally {
    database?.close();
  }
}

/** Bytes 18 and 19 of the header tell it (https://www.sqlite.org/fileformat.html). */
async function journalMode(path: string): Promise<'wal' | 'rollback'> {
  const file = await open(path).catch((error: unknown) => {
    const reason = isAbsent(error)
      ? 'does not exist'
      : `cannot be opened: ${systemCode(error) ?? String(error)}`;
    throw new MlferryError('LOCATION', `The database ${path} ${reason}`, {
      hint: 'sqlite:///name is relative to this directory, sqlite:////path is the whole path.',
      cause: error,
    });
  });
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 18);
    return buffer[0] === 2 ? 'wal' : 'rollback';
  } finally {
    await file.close();
  }
}

/** Whether a process has a write-ahead log of the file open: the shared memory is there as long as any has. */
async function isInUse(path: string): Promise<boolean> {
  return (await isThere(`${path}-wal`)) && (await isThere(`${path}-shm`));
}

/** Takes SQLite's lock for readers; what is returned gives it back. `undefined`: a writer died in a transaction. */
async function lock(path: string): Promise<(() => void) | undefined> {
  const { DatabaseSync } = loadSqlite();
  const until = Date.now() + PATIENCE;
  for (;;) {
    let database: InstanceType<typeof DatabaseSync> | undefined;
    try {
      const own = new DatabaseSync(path, { readOnly: true });
      database = own;
      own.exec('BEGIN');
      own.prepare('SELECT count(*) FROM sqlite_schema').get();
      return () => own.close();
    } catch (error) {
      database?.close();
      const code = sqliteCode(error);
      if (code === READONLY_ROLLBACK) return undefined;
      if (code === undefined || (code & 0xff) !== BUSY || Date.now() > until) throw sqliteError(error, path);
      await wait(PAUSE);
    }
  }
}

/** Files beside a database that belong to it: what is not worked in yet. */
const LOGS = ['-wal', '-journal'];
/** Copies that are made anew because somebody wrote meanwhile. */
const TRIES = 5;

/** A copy without a lock, of one moment: nobody has written to any of the files while it was made. Throws UNAVAILABLE otherwise. */
async function copyUnlocked(path: string, copy: string): Promise<Snapshot> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const before = await stampOf(path);
    await copyFiles(path, copy, LOGS);
    // Somebody opened it meanwhile.
    const isOpen = (await isInUse(path)) && isReadable(path);
    if (!isOpen && (await stampOf(path)) === before) return { path: copy, isCopy: true };
    for (const end of ['', ...LOGS]) await rm(copy + end, { force: true });
    if (isOpen) return { path, isCopy: false };
    await wait(PAUSE * 2 ** tries);
  }
  throw new MlferryError(
    'UNAVAILABLE',
    `The database ${path} is written to all the time: no copy is of one moment`,
    {
      hint: 'End what writes to it, or start a server on it and name that.',
    },
  );
}

/** What changes with every write: sizes, times, and the counter of changes in the header (bytes 24 to 27). */
async function stampOf(path: string): Promise<string> {
  const stamps: string[] = [];
  for (const end of ['', ...LOGS]) {
    try {
      const { size, mtimeNs } = await stat(path + end, { bigint: true });
      stamps.push(`${end} ${size} ${mtimeNs}`);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 24);
    return [...stamps, buffer.toString('hex')].join();
  } finally {
    await file.close();
  }
}

async function copyFiles(path: string, copy: string, further: readonly string[]): Promise<void> {
  try {
    await copyFile(path, copy, constants.COPYFILE_FICLONE);
    for (const end of further)
      if (await isThere(path + end)) await copyFile(path + end, copy + end, constants.COPYFILE_FICLONE);
  } catch (error) {
    throw asMlferryError(error, 'BUG', `The database ${path} cannot be copied to ${copy} (--temp-dir)`);
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await access(path, constants.F_OK);
    return (await stat(path)).isFile();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}
