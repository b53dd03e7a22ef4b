import { partsKey, partsOf } from '../kinds/parts.ts';
import { selectionAt } from '../places/open.ts';
import { type JobIdentity, jobId, placeName } from './job-identity.ts';
import { takeJobLock } from './job-lock.ts';
import type { JobOptions } from './job-options.ts';
import { jobDirectory, pruneJobs } from './jobs.ts';
import { type Journal, openJournal } from './journal.ts';

/** A job that this process alone works on. */
export interface Job {
  readonly job_id: string;
  /** Its journal, once the source has told its fingerprint. */
  begin(fingerprint: string): Promise<Journal>;
  /** Closes the journal and gives the lock back. */
  release(): Promise<void>;
}

/**
 * Takes the lock of the job that these places and options make. `undefined` where there is none: in a dry run, without
 * a state directory, and when a side is a pipe. Throws CONFLICT when another process works on it.
 */
export async function openJob(from: string, to: string, options: JobOptions): Promise<Job | undefined> {
  const source = placeName(from);
  const target = placeName(to);
  if (options.stateDir === undefined || options.dryRun || source === undefined || target === undefined)
    return undefined;
  const identity: JobIdentity = {
    from: source,
    to: target,
    selection: selectionAt(from, options.selection),
    rename: options.rename ?? [],
    into: options.into ?? null,
    ...(options.renameModels?.length ? { rename_models: options.renameModels } : {}),
    parts: partsKey(partsOf(options)),
    artifacts_dir: options.artifactsDir ?? null,
    ...(options.shard === undefined ? {} : { shard: options.shard }),
  };
  const job_id = jobId(identity);
  const directory = jobDirectory(options.stateDir, job_id);
  const lock = await takeJobLock(directory, job_id);
  // What cannot be tidied does no harm.
  await pruneJobs(options.stateDir).catch(() => undefined);
  let journal: Journal | undefined;
  return {
    job_id,
    async begin(fingerprint) {
      journal = await openJournal(directory, job_id, identity, fingerprint);
      return journal;
    },
    async release() {
      await journal?.close();
      await lock.release();
    },
  };
}
