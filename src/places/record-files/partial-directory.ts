import { lstat, mkdir, readdir, rename, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { asMlferryError, MlferryError, systemCode } from '../../util/errors.ts';
import { type FileLock, takeLock } from '../../util/lock-file.ts';
import { syncDirectory } from '../../util/sync-directory.ts';

/** The file of a partial directory that gets the final name. */
export const DATA = 'data';
const LOCK = 'lock';
/** All that a partial directory may hold; a directory with anything else in it is not ours to remove. */
const OWN_FILE = /^(data|lock(\.[0-9a-z-]+)?|(journal|open-part)\.ndjson(\.new)?)$/;

/**
 * `<path>.partial`: the directory in which a file comes to be, and what is needed to go on with it after a crash. This
 * process holds its lock.
 */
export interface PartialDirectory {
  /** Whether it was not there before. */
  readonly isNew: boolean;
  file(name: string): string;
  /** Gives {@link DATA}, which must be on the disk, its final name, and removes the rest. */
  finish(): Promise<void>;
  /** Gives the lock back; what is there stays for a later attempt, or is removed. */
  leave(keep: boolean): Promise<void>;
}

/** Throws CONFLICT when something has this name already, unless it may be overwritten. */
export async function refuseExisting(path: string, overwrite: boolean): Promise<void> {
  try {
    const found = await lstat(path);
    if (overwrite && found.isFile()) return;
    const hint = overwrite ? undefined : 'Choose another name, or add --overwrite to replace it.';
    throw new MlferryError('CONFLICT', `${path} exists already`, hint === undefined ? {} : { hint });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw asMlferryError(error, 'LOCATION', `${path} cannot be written`);
  }
}

/**
 * Makes the partial directory of a file, or takes over the one that a dead process left. Throws CONFLICT when `path`
 * exists and may not be overwritten, or is being written by another process; LOCATION when it cannot be made, NO_SPACE.
 */
export async function openPartialDirectory(path: string, overwrite: boolean): Promise<PartialDirectory> {
  const directory = `${path}.partial`;
  try {
    await refuseExisting(path, overwrite);
  } catch (error) {
    await tidy(path, directory);
    throw error;
  }
  let isNew: boolean;
  try {
    isNew = await makeDirectory(directory);
  } catch (error) {
    throw asMlferryError(error, 'LOCATION', `${directory} cannot be made`);
  }
  const lock = await takeLock(join(directory, LOCK), path);

  const remove = () => removeDirectory(directory, lock);
  return {
    isNew,
    file: (name) => join(directory, name),
    finish: async () => {
      try {
        await refuseExisting(path, overwrite);
        await rename(join(directory, DATA), path);
        await syncOrUndo(path, join(directory, DATA));
      } catch (error) {
        throw asMlferryError(error, 'LOCATION', `${path} cannot be finished`);
      }
      // The file is whole and in its place: what is left behind now does no harm.
      await remove().catch(() => undefined);
    },
    leave: async (keep) => {
      // Another error is on its way to the user, and a directory left behind is adopted by the next attempt.
      await (keep ? lock.release() : remove()).catch(() => undefined);
    },
  };
}

async function removeDirectory(directory: string, lock: FileLock): Promise<void> {
  for (const name of await readdir(directory)) {
    if (name !== LOCK) await rm(join(directory, name), { force: true });
  }
  await lock.release();
  await rmdir(directory);
}

/** Removes what a process left that died after its file had its name. Whatever does not look like that stays. */
async function tidy(path: string, directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [DATA]);
  if (names.includes(DATA) || !names.every((name) => OWN_FILE.test(name))) return;
  const lock = await takeLock(join(directory, LOCK), path).catch(() => undefined);
  if (lock !== undefined) await removeDirectory(directory, lock).catch(() => undefined);
}

/** Whether the directory had to be made. */
async function makeDirectory(directory: string): Promise<boolean> {
  try {
    await mkdir(directory);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT')
      throw new MlferryError('LOCATION', `The directory ${dirname(directory)} does not exist`, {
        cause: error,
      });
    if (code !== 'EEXIST') throw error;
    await refuseForeign(directory);
    return false;
  }
}

async function refuseForeign(directory: string): Promise<void> {
  const isDirectory = (await lstat(directory)).isDirectory();
  const names = isDirectory ? await readdir(directory) : [];
  if (isDirectory && names.every((name) => OWN_FILE.test(name))) return;
  throw new MlferryError('CONFLICT', `${directory} is there and was not made by mlferry`, {
    hint: 'It is where the file would come to be: move it away, or choose another name.',
  });
}

/** Makes a rename durable, or takes it back: nothing stands under a final name that a crash could take away again. */
async function syncOrUndo(path: string, before: string): Promise<void> {
  try {
    await syncDirectory(dirname(path));
  } catch (error) {
    await rename(path, before).catch(() => undefined);
    throw error;
  }
}
