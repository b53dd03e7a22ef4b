import { randomUUID } from 'node:crypto';
import { mkdir, open, readdir, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { systemCode } from '../../util/errors.ts';
import { isAlive } from '../../util/process-identity.ts';
import { isAbsent, PARTIAL } from './layout.ts';

/**
 * Where everything is written before it is renamed to its final name, on the same file system, so that MLflow (which
 * takes any file in `tags/` for a tag) never sees half a file.
 */
export interface Staging {
  /** A path of its own that is not there yet. */
  newPath(): Promise<string>;
  /** Puts a file in place, replacing the one that is there; makes its directory. */
  replaceFile(path: string, content: string): Promise<void>;
  /** Removes all that is left of this session. */
  close(): Promise<void>;
}

/** A staging area below the root of a store, made when it is first used. Leftovers of dead processes are removed then, and
 * at the end. */
export function createStaging(root: string): Staging {
  const parent = join(root, PARTIAL);
  const prefix = `${hostname()}-`;
  const session = join(parent, `${prefix}${process.pid}-${randomUUID()}`);
  let made: Promise<void> | undefined;
  let count = 0;

  const make = async () => {
    await mkdir(session, { recursive: true });
    await removeLeftovers();
  };
  const removeLeftovers = async () => {
    const names = await readdir(parent).catch((error: unknown) => {
      if (isAbsent(error)) return [];
      throw error;
    });
    for (const name of names) {
      const pid = name.startsWith(prefix)
        ? /^(\d+)-[0-9a-f-]{36}$/.exec(name.slice(prefix.length))?.[1]
        : undefined;
      if (pid !== undefined && !isAlive(Number(pid)))
        await rm(join(parent, name), { recursive: true, force: true });
    }
  };
  const newPath = async () => {
    made ??= make();
    await made;
    count += 1;
    return join(session, String(count));
  };

  return {
    newPath,
    async replaceFile(path, content) {
      const temporary = await newPath();
      await writeFile(temporary, content, { flush: true });
      await mkdir(dirname(path), { recursive: true });
      await rename(temporary, path);
    },
    async close() {
      await made?.catch(() => undefined);
      made = undefined;
      await rm(session, { recursive: true, force: true });
      await removeLeftovers();
      await rmdir(parent).catch((error: unknown) => {
        if (!isAbsent(error) && systemCode(error) !== 'ENOTEMPTY' && systemCode(error) !== 'EEXIST')
          throw error;
      });
    },
  };
}

/** Makes renames in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
