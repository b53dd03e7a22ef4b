import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asMlferryError } from '../util/errors.ts';
import { type FileLock, takeLock } from '../util/lock-file.ts';

/** The file in a job's directory that says who is at work on it. */
export const LOCK_FILE = 'lock';

/** Takes the lock of a job, as {@link takeLock}; makes its directory, which nobody else may read. */
export async function takeJobLock(directory: string, job_id: string): Promise<FileLock> {
  try {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw asMlferryError(error, 'DENIED', `The job directory ${directory} cannot be written`);
  }
  return takeLock(join(directory, LOCK_FILE), `Job ${job_id}`, `run: mlferry jobs forget ${job_id}`);
}
