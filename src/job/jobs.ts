import { existsSync, statSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asMlferryError, MlferryError, systemCode } from '../util/errors.ts';
import { findLockHolder, type LockHolder } from '../util/lock-file.ts';
import { whereabouts } from '../util/process-identity.ts';
import { LOCK_FILE, takeJobLock } from './job-lock.ts';
import { JOURNAL_FILE } from './journal.ts';
import { type JournalState, readJournal } from './journal-lines.ts';

/** Where jobs stand in a state directory. */
export function jobDirectory(stateDir: string, job_id: string): string {
  return join(stateDir, 'jobs', job_id);
}

/** A job as `mlferry jobs` shows it. Times in ms since the epoch. */
export interface JobSummary {
  readonly job_id: string;
  readonly directory: string;
  /**
   * `running`: a process is at work; `elsewhere`: one of another machine was, and may be; `unfinished`: it was stopped, and the
   * same command goes on; `done`; `incomplete`: it came to its end, and something is left behind; `failed`: it cannot be
   * done as it was asked for.
   */
  readonly state: 'running' | 'elsewhere' | 'unfinished' | 'done' | 'incomplete' | 'failed';
  readonly from?: string;
  readonly to?: string;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly tool_version?: string;
  readonly started?: number;
  readonly ended?: number;
  readonly exit_status?: number;
  readonly step: JournalState['step'];
  readonly runs_done: number;
  /** Runs about which the journal cannot tell whether they are on the target. */
  readonly runs_open: number;
  readonly holder?: LockHolder;
}

/** All jobs of a state directory, the latest first. One that ended before its source was open has left nothing to tell. */
export async function listJobs(stateDir: string): Promise<JobSummary[]> {
  const jobs: JobSummary[] = [];
  for (const job_id of await jobIds(stateDir)) {
    const job = await summaryOf(stateDir, job_id);
    if (job.holder !== undefined || existsSync(join(job.directory, JOURNAL_FILE))) jobs.push(job);
  }
  return jobs.sort((a, b) => (b.started ?? 0) - (a.started ?? 0));
}

/** One job, by its id or the beginning of it. Throws NOT_FOUND, or USAGE when several begin so. */
export async function showJob(stateDir: string, beginning: string): Promise<JobSummary> {
  return summaryOf(stateDir, await findJob(stateDir, beginning));
}

/**
 * Removes a job's journal and lock; nothing of its target. Throws CONFLICT while a process of this machine
 * is at work on it.
 */
export async function forgetJob(stateDir: string, beginning: string): Promise<JobSummary> {
  const job = await showJob(stateDir, beginning);
  if (job.state === 'running') {
    throw new MlferryError('CONFLICT', `Process ${job.holder?.pid} is at work on job ${job.job_id}`, {
      hint: 'Wait until it ends, or stop it first.',
    });
  }
  try {
    await rm(job.directory, { recursive: true, force: true });
  } catch (error) {
    throw asMlferryError(error, 'DENIED', `The job directory ${job.directory} cannot be removed`);
  }
  return job;
}

/** What passes by itself: interrupts, a server that is away, a full disk. */
const PASSING: ReadonlySet<number> = new Set([7, 9, 130, 143]);

function endState(end: JournalState['end']): JobSummary['state'] {
  if (end === undefined || PASSING.has(end.exit_status)) return 'unfinished';
  if (end.exit_status === 0) return 'done';
  return end.exit_status === 3 ? 'incomplete' : 'failed';
}

/** How long a job that has ended is remembered, in ms. */
const KEPT = 30 * 24 * 3_600_000;

/**
 * Forgets the jobs that ended before `before` (ms since the epoch; 30 days ago unless told). One that is unfinished, at work, or
 * in doubt of a create is kept. Returns the forgotten ones.
 */
export async function pruneJobs(stateDir: string, before = Date.now() - KEPT): Promise<JobSummary[]> {
  const forgotten: JobSummary[] = [];
  for (const job_id of await jobIds(stateDir)) {
    // The journal of a job that ended is not touched any more: only old ones are read.
    const changed = statSync(join(jobDirectory(stateDir, job_id), JOURNAL_FILE), { throwIfNoEntry: false });
    if (changed === undefined || changed.mtimeMs >= before) continue;
    const job = await summaryOf(stateDir, job_id);
    if (!['done', 'incomplete', 'failed'].includes(job.state) || job.runs_open > 0) continue;
    // Nobody begins it again while it goes.
    const lock = await takeJobLock(job.directory, job_id).catch(() => undefined);
    if (lock === undefined) continue;
    await rm(job.directory, { recursive: true, force: true });
    forgotten.push(job);
  }
  return forgotten;
}

async function summaryOf(stateDir: string, job_id: string): Promise<JobSummary> {
  const directory = jobDirectory(stateDir, job_id);
  const { start, first_started, end, step, done, inDoubt } = await readJournal(join(directory, JOURNAL_FILE));
  const holder = await findLockHolder(join(directory, LOCK_FILE));
  const where = holder === undefined ? 'gone' : whereabouts(holder);
  const rest = endState(end);
  return {
    job_id,
    directory,
    state: where === 'alive' ? 'running' : where === 'elsewhere' ? 'elsewhere' : rest,
    ...(start === undefined
      ? {}
      : { from: start.from, to: start.to, options: start.options, tool_version: start.tool_version }),
    ...(first_started === undefined ? {} : { started: first_started }),
    ...(end === undefined ? {} : { exit_status: end.exit_status, ended: end.ended }),
    step,
    runs_done: done,
    runs_open: inDoubt.size,
    ...(holder === undefined || where === 'gone' ? {} : { holder }),
  };
}

async function findJob(stateDir: string, beginning: string): Promise<string> {
  const found = (await jobIds(stateDir)).filter((id) => id.startsWith(beginning));
  const [only, ...more] = found;
  if (only === undefined)
    throw new MlferryError('NOT_FOUND', `There is no job ${JSON.stringify(beginning)} in ${stateDir}`, {
      hint: 'mlferry jobs list shows all jobs.',
    });
  if (more.length > 0 && !found.includes(beginning))
    throw new MlferryError('USAGE', `${JSON.stringify(beginning)} could be ${found.join(', ')}`);
  return found.includes(beginning) ? beginning : only;
}

async function jobIds(stateDir: string): Promise<string[]> {
  try {
    const names = await readdir(join(stateDir, 'jobs'));
    return names.filter((name) => /^[0-9a-f]{12}$/.test(name)).sort();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw asMlferryError(error, 'DENIED', `The state directory ${stateDir} cannot be read`);
  }
}
