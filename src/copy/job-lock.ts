import { randomUUID } from 'node:crypto';
import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { asMlferryError, MlferryError, systemCode } from '../util/errors.ts';
import { ownIdentity, whereabouts } from '../util/process-identity.ts';

/** The file in a job's directory that says who is at work on it. */
export const LOCK_FILE = 'lock';

const holder = z.strictObject({
  pid: z.int().positive(),
  host: z.string(),
  birth: z.string().optional(),
  /** ms since the epoch. */
  started: z.int().nonnegative(),
});

/** Who holds a lock. */
export type LockHolder = z.infer<typeof holder>;

/**
 * Takes the lock of a job; the result gives it back. A lock whose process is gone (or whose number another process has
 * now) is taken over. Throws CONFLICT when the job is being worked on, or was on another machine.
 */
export async function takeLock(directory: string, job_id: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK_FILE);
  const own = `${path}.${randomUUID()}`;
  const text = JSON.stringify({ ...ownIdentity(), started: Date.now() } satisfies LockHolder);
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writeFile(own, text, { mode: 0o600 });
    try {
      // Unlike a file that is opened and then written, a link is there with its content or not at all.
      while (!(await linked(own, path))) await takeAwayIfDead(path, job_id);
    } finally {
      await rm(own, { force: true });
    }
  } catch (error) {
    throw asMlferryError(error, 'DENIED', `The job directory ${directory} cannot be written`);
  }
  return async () => {
    if ((await readText(path)) === text) await rm(path, { force: true });
  };
}

/** Who holds the lock of a job now, dead or alive; `undefined`: nobody. */
export async function lockHolder(directory: string): Promise<LockHolder | undefined> {
  const text = await readText(join(directory, LOCK_FILE));
  return text === undefined ? undefined : parseHolder(text);
}

async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function takeAwayIfDead(path: string, job_id: string): Promise<void> {
  const text = await readText(path);
  if (text === undefined) return;
  const found = parseHolder(text);
  // What is no lock was left by a full disk or a crash of the machine.
  if (found !== undefined && whereabouts(found) !== 'gone') throw conflict(found, job_id);
  const dead = `${path}.${randomUUID()}`;
  try {
    await rename(path, dead);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  // Somebody else was faster, and this is the new lock: it goes back.
  if ((await readText(dead)) !== text) await linked(dead, path);
  await rm(dead, { force: true });
}

function conflict(found: LockHolder, job_id: string): MlferryError {
  const { pid, host, started } = found;
  const since = new Date(started).toISOString();
  const elsewhere = whereabouts(found) === 'elsewhere';
  return new MlferryError(
    'CONFLICT',
    `Job ${job_id} is being worked on by process ${pid} on ${host} since ${since}`,
    {
      hint: elsewhere
        ? `If that process is gone, run: mlferry jobs forget ${job_id}`
        : 'Wait until it ends, or stop it; then run the same command again.',
    },
  );
}

function parseHolder(text: string): LockHolder | undefined {
  try {
    return holder.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
