import { randomUUID } from 'node:crypto';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { asMlferryError, MlferryError, systemCode } from './errors.ts';
import { ownIdentity, type ProcessIdentity, whereabouts } from './process-identity.ts';

/** A lock that this process holds. */
export interface FileLock {
  /** Gives it back; may be called more than once. */
  release(): Promise<void>;
}

/** zod schema of {@link LockHolder}. */
export const lockHolder = z.object({
  pid: z.int().positive(),
  host: z.string(),
  birth: z.string().optional(),
  /** When the lock was taken, ms since the epoch. */
  started: z.int().nonnegative(),
});

/** Who holds a lock. */
export type LockHolder = z.infer<typeof lockHolder>;

const ATTEMPTS = 20;

/**
 * Takes the lock `path` for this process; a lock whose holder is dead is taken over. The file appears with its content,
 * so nobody sees half a lock. `object` is what it guards and `giveUp` how to get rid of a lock that nobody holds, for
 * messages. Throws CONFLICT when another process holds it, or one of another machine.
 */
export async function takeLock(path: string, object: string, giveUp = `remove ${path}`): Promise<FileLock> {
  const id = randomUUID();
  const holder: LockHolder = { ...ownIdentity(), started: Date.now() };
  // The id tells two locks of one process apart.
  const text = JSON.stringify({ ...holder, id });
  const fresh = `${path}.${process.pid}-${id}`;
  try {
    await writeFile(fresh, text, { flag: 'wx' });
    for (let attempt = 0; !(await isPlaced(fresh, path, text)); attempt++) {
      const found = await readLock(path);
      if (found === undefined) continue;
      if (attempt === ATTEMPTS || isHeld(found)) throw taken(object, found, giveUp);
      if (await takeOver(fresh, path, text)) break;
    }
  } catch (error) {
    throw asMlferryError(error, 'DENIED', `The lock ${path} cannot be taken`);
  } finally {
    await rm(fresh, { force: true });
  }
  // What is left behind now does no harm.
  await removeLeftovers(path).catch(() => undefined);
  let held = true;
  return {
    release: async () => {
      if (held && (await readLock(path)) === text) await rm(path, { force: true });
      held = false;
    },
  };
}

/** Gives the lock its name, unless the name is there. A file system without hard links cannot do it in one step. */
async function isPlaced(fresh: string, path: string, text: string): Promise<boolean> {
  try {
    await link(fresh, path);
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST') return false;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error;
  }
  try {
    await writeFile(path, text, { flag: 'wx' });
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Replaces a dead lock by `fresh`, and tells whether it did. Only the one that holds the guard may replace a lock, so of
 * many that find it dead one gets it. A guard whose holder died is removed for the next attempt.
 */
async function takeOver(fresh: string, path: string, text: string): Promise<boolean> {
  const guard = `${path}.takeover`;
  if (!(await isPlaced(fresh, guard, text))) {
    const holder = await readLock(guard);
    if (holder !== undefined && !isHeld(holder)) await rm(guard, { force: true });
    return false;
  }
  try {
    const found = await readLock(path);
    if (found === undefined || isHeld(found)) return false;
    await rename(fresh, path);
    return true;
  } finally {
    await rm(guard, { force: true });
  }
}

/** Removes what processes of this machine left that died on their way to the lock, which this process holds. */
async function removeLeftovers(path: string): Promise<void> {
  const start = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(start)) continue;
    const file = join(dirname(path), name);
    const holder = (await findLockHolder(file)) ?? namedHolder(name.slice(start.length));
    if (holder !== undefined && whereabouts(holder) === 'gone') await rm(file, { force: true });
  }
}

/** A process that died while it wrote left its number in the name only. */
function namedHolder(name: string): ProcessIdentity | undefined {
  const pid = /^(\d+)-/.exec(name)?.[1];
  return pid === undefined ? undefined : { pid: Number(pid), host: hostname() };
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Who holds a lock now, dead or alive; `undefined`: nobody. */
export async function findLockHolder(path: string): Promise<LockHolder | undefined> {
  const text = await readLock(path);
  return text === undefined ? undefined : holderOf(text);
}

function holderOf(text: string): LockHolder | undefined {
  try {
    return lockHolder.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Half a lock is that of a dead process; a process of another machine counts as alive: nobody here can tell. */
function isHeld(text: string): boolean {
  const holder = holderOf(text);
  return holder !== undefined && whereabouts(holder) !== 'gone';
}

function taken(object: string, text: string, giveUp: string): MlferryError {
  const holder = holderOf(text);
  const who =
    holder === undefined
      ? 'another process'
      : `process ${holder.pid} on ${holder.host} since ${new Date(holder.started).toISOString()}`;
  return new MlferryError('CONFLICT', `${object} is being worked on by ${who}`, {
    hint: `Wait until it has ended. If there is no such process any more, ${giveUp}.`,
  });
}
