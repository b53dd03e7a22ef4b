import { randomUUID } from 'node:crypto';
import { mkdir, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemCode } from '../../../util/errors.ts';
import { type FileLock, takeLock } from '../../../util/lock-file.ts';
import { syncDirectory } from '../../../util/sync-directory.ts';
import { MOVE_NOTE, NEW_STORE, PARTIAL } from './layout.ts';

/**
 * Where everything is written before it is renamed to its final name, on the same file system, so that MLflow (which
 * takes any file in `tags/` for a tag) never sees half a file. A dry run has one that changes nothing.
 */
export interface Staging {
  /** In a dry run everything is counted and nothing is written. */
  readonly isDry: boolean;
  /**
   * Keeps other processes of mlferry from writing to the store, and removes what dead ones left. Throws CONFLICT when
   * another one is at work.
   */
  open(): Promise<void>;
  /** A path of its own that is not there yet; `undefined` in a dry run. */
  newPath(): Promise<string | undefined>;
  /** Puts a file in place, replacing the one that is there; makes its directory. */
  replaceFile(path: string, content: string): Promise<void>;
  /** Removes a file, if there is one. */
  removeFile(path: string): Promise<void>;
  /**
   * Makes a directory that is not there: `fill` writes it elsewhere, then one rename puts it in place, whole and durable.
   * In a dry run `fill` gets no path and only counts.
   */
  placeDirectory<T>(directory: string, fill: (temporary: string | undefined) => Promise<T>): Promise<T>;
  /** Removes all that is left of this session. */
  close(): Promise<void>;
}

const LOCK = 'lock';

/** A staging area that changes nothing. */
const DRY: Staging = {
  isDry: true,
  open: async () => undefined,
  newPath: async () => undefined,
  replaceFile: async () => undefined,
  removeFile: async () => undefined,
  placeDirectory: (_, fill) => fill(undefined),
  close: async () => undefined,
};

/** The staging area below the root of a store. */
export function createStaging(root: string, dryRun = false): Staging {
  if (dryRun) return DRY;
  const parent = join(root, PARTIAL);
  const session = join(parent, randomUUID());
  let lock: FileLock | undefined;
  let madeRoot = false;
  let count = 0;

  const newPath = async () => {
    if (count === 0) await mkdir(session, { recursive: true });
    count += 1;
    return join(session, String(count));
  };

  return {
    isDry: false,
    async open() {
      const made = await mkdir(parent, { recursive: true });
      madeRoot = made !== undefined && made !== parent;
      lock = await takeLock(join(parent, LOCK), root);
      for (const name of await readdir(parent)) {
        // What begins like the lock may be another process on its way to find it taken.
        if (!name.startsWith(LOCK) && !name.startsWith(MOVE_NOTE) && name !== NEW_STORE)
          await rm(join(parent, name), { recursive: true, force: true });
      }
    },
    newPath,
    async replaceFile(path, content) {
      const temporary = await newPath();
      await writeFile(temporary, content, { flush: true });
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
    },
    removeFile: (path) => rm(path, { force: true }),
    async placeDirectory(directory, fill) {
      const temporary = await newPath();
      try {
        const result = await fill(temporary);
        const parentDir = dirname(directory);
        await mkdir(parentDir, { recursive: true });
        await rename(temporary, directory);
        await syncDirectory(parentDir);
        return result;
      } catch (error) {
        await rm(temporary, { recursive: true, force: true });
        throw error;
      }
    },
    async close() {
      if (lock === undefined) return;
      await rm(session, { recursive: true, force: true });
      await lock.release();
      lock = undefined;
      await removeEmpty(parent);
      if (madeRoot) await removeEmpty(root);
    },
  };
}

async function removeEmpty(directory: string): Promise<void> {
  try {
    await rmdir(directory);
  } catch (error) {
    if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(systemCode(error) ?? '')) throw error;
  }
}
