import { rm } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { openReader, openWriter } from '../places/open.ts';
import type { PlaceOptions, TlsOptions } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';
import { asMlferryError } from '../util/errors.ts';
import { makeTempDir } from '../util/temp-dir.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { type CopyResult, copy } from './copy.ts';
import { type Job, openJob } from './open-job.ts';
import type { Progress } from './pass.ts';
import type { RenameRule } from './rename.ts';
import { createLedger, type JobProgress } from './report.ts';

/** Options of a copy between two locations; all have defaults. */
export interface JobOptions {
  readonly selection?: Partial<Selection> | undefined;
  /** Runs in flight, default 8. */
  readonly concurrency?: number | undefined;
  /** Most requests to each server that start in a second, default no limit. */
  readonly maxRequestsPerSecond?: number | undefined;
  readonly rename?: readonly RenameRule[] | undefined;
  readonly into?: string | undefined;
  /** Default true. */
  readonly metrics?: boolean | undefined;
  /** Default true. */
  readonly artifacts?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  /** Replace an archive or stream file that is there. */
  readonly overwrite?: boolean | undefined;
  readonly allowEdited?: boolean | undefined;
  /** Directory of the artifact bytes of a stream. */
  readonly artifactsDir?: string | undefined;
  /** Parent of the spool directory, default the system's. */
  readonly tempDir?: string | undefined;
  readonly tls?: { readonly from?: TlsOptions; readonly to?: TlsOptions } | undefined;
  /** Where credentials and MLflow's settings are looked up, default `process.env` (given by the CLI). */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly stdin?: Readable | undefined;
  readonly stdout?: Writable | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  /** Where the journal stands that makes the copy resumable and keeps a second process off it; without it there is none. */
  readonly stateDir?: string | undefined;
  /** Called once, before the first run. */
  readonly onJob?: ((job: JobProgress) => void) | undefined;
}

/** Runs `task` with a spool directory that is gone afterwards, whatever happens. */
export async function withTempDir<T>(
  parent: string | undefined,
  task: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await makeTempDir(parent);
  try {
    return await task(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** The options that every place of a job is opened with, but for its side. */
export function placeOptions(
  options: JobOptions,
  tempDir: string,
  findings: PlaceOptions['findings'],
  side: PlaceOptions['side'],
): PlaceOptions {
  const tls = side === 'from' ? options.tls?.from : options.tls?.to;
  return {
    side,
    findings,
    tempDir,
    signal: options.signal ?? new AbortController().signal,
    concurrency: options.concurrency ?? 8,
    maxRequestsPerSecond: options.maxRequestsPerSecond,
    environment: options.environment ?? {},
    allowEdited: options.allowEdited ?? false,
    ...(tls === undefined ? {} : { tls }),
    ...(options.artifactsDir === undefined ? {} : { artifactsDir: options.artifactsDir }),
    ...(options.stdin === undefined ? {} : { stdin: options.stdin }),
    ...(options.stdout === undefined ? {} : { stdout: options.stdout }),
  };
}

/**
 * Copies from one location to another: opens the source (archives and streams are checked whole first), then the
 * target, copies, and closes both. Throws only what stops it before the copy begins, CONFLICT when another process works
 * on the same job; see {@link copy} for the rest.
 */
export async function copyBetween(from: string, to: string, options: JobOptions = {}): Promise<CopyResult> {
  searchOf(options.selection ?? {});
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
  const selection: Selection = { ...ALL_ACTIVE, ...options.selection };
  const dryRun = options.dryRun ?? false;
  const ledger = createLedger();
  const shared = placeOptions(options, tempDir, ledger, 'from');
  const reader = await openReader(from, shared);
  const parts = { metrics: options.metrics ?? true, artifacts: options.artifacts ?? true };
  try {
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
      source: reader.info,
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
      parts,
      dryRun,
      signal: shared.signal,
      ledger,
      journal,
      onProgress: options.onProgress,
    });
    await journal?.end(result.report.exit_status);
    return progress === undefined ? result : { ...result, report: { ...result.report, job: progress } };
  } finally {
    await reader.close();
  }
}
