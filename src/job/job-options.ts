import { rm } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import type { Selection } from '../model/selection.ts';
import type { PlaceOptions, TlsOptions } from '../places/place.ts';
import { makeTempDir } from '../util/temp-dir.ts';
import type { JobProgress } from './journal.ts';
import type { Progress } from './progress.ts';
import type { RenameRule } from './rename.ts';

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
