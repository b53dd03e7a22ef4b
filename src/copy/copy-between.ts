import { type JobOptions, placeOptions, withTempDir } from '../job/job-options.ts';
import type { JobProgress } from '../job/journal.ts';
import { createLedger } from '../job/ledger.ts';
import { type Job, openJob } from '../job/open-job.ts';
import { renamingReader } from '../job/rename-objects.ts';
import { partsOf } from '../kinds/parts.ts';
import type { Selection } from '../model/selection.ts';
import { openReader, openWriter, selectionAt } from '../places/open.ts';
import { searchOf } from '../search/search-of.ts';
import { untilAborted } from '../util/bandwidth.ts';
import { asMlferryError } from '../util/errors.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { type CopyResult, copy } from './copy.ts';

/**
 * Copies from one location to another: opens the source (archives and streams are checked whole first), then the
 * target, copies, and closes both. Throws only what stops it before the copy begins, CONFLICT when another process works
 * on the same job; see {@link copy} for the rest.
 */
export async function copyBetween(from: string, to: string, options: JobOptions = {}): Promise<CopyResult> {
  searchOf(options.selection ?? {});
  partsOf(options);
  const job = await openJob(from, to, options);
  try {
    return await withTempDir(options.tempDir, (tempDir) => copyInJob(from, to, options, tempDir, job));
  } finally {
    await job?.release();
  }
}

async function copyInJob(
  from: string,
  to: string,
  options: JobOptions,
  tempDir: string,
  job: Job | undefined,
): Promise<CopyResult> {
  const selection: Selection = selectionAt(from, options.selection);
  const parts = partsOf(options);
  const dryRun = options.dryRun ?? false;
  const ledger = createLedger(options.acceptLoss);
  const shared = placeOptions(options, tempDir, ledger, 'from');
  const opened = await openReader(from, shared);
  try {
    const reader = await renamingReader(opened, options.renameModels);
    const journal = await job?.begin(reader.info.fingerprint);
    const progress: JobProgress | undefined =
      job === undefined || journal === undefined
        ? undefined
        : { job_id: job.job_id, resumed: journal.resumed, ...journal.earlier };
    if (progress !== undefined) options.onJob?.(progress);
    const writer = await openWriter(to, {
      ...placeOptions(options, tempDir, ledger, 'to'),
      dryRun,
      overwrite: options.overwrite ?? false,
      init: options.init ?? false,
      source: reader.info,
      sourceTraits: reader.traits,
      selection,
      parts,
      toolVersion: TOOL_VERSION,
    }).catch(async (error: unknown) => {
      await journal?.end(asMlferryError(error).meaning.exit);
      throw error;
    });
    const result = await copy(reader, writer, {
      selection,
      concurrency: shared.concurrency,
      rename: options.rename ?? [],
      into: options.into,
      held: options.held,
      shard: options.shard,
      bandwidth: untilAborted(options.bandwidth, shared.signal),
      parts,
      dryRun,
      signal: shared.signal,
      ledger,
      journal,
      onProgress: options.onProgress,
    });
    // What stays behind by its nature is no reason to go on with this job later.
    const { exit_status, error } = result.report;
    await journal?.end(exit_status, error === undefined && ledger.failureCount() === 0);
    return progress === undefined ? result : { ...result, report: { ...result.report, job: progress } };
  } finally {
    await opened.close();
  }
}
