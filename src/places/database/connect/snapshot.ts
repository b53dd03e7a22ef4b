import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, copyFile, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { asMlferryError, isAbsent, MlferryError, systemCode } from '../../../util/errors.ts';
import { loadSqlite } from './load-sqlite.ts';
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
  try {
    await copyFiles(path, copy, unlock === undefined ? ['-wal', '-journal'] : []);
  } finally {
    unlock?.();
  }
  // Somebody opened it meanwhile: then the copy may be of no one moment.
  return unlock === undefined && (await isInUse(path)) && isReadable(path)
    ? { path, isCopy: false }
    : { path: copy, isCopy: true };
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
