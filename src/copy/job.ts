import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { openReader, openWriter } from '../places/open.ts';
import type { PlaceOptions, TlsOptions } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { type CopyResult, copy, type Progress } from './copy.ts';
import type { RenameRule } from './rename.ts';
import { createLedger } from './report.ts';

/** Options of a copy between two locations; all have defaults. */
export interface JobOptions {
  readonly selection?: Partial<Selection> | undefined;
  /** Runs in flight, default 8. */
  readonly concurrency?: number | undefined;
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
}

/** Runs `task` with a spool directory that is gone afterwards, whatever happens. */
export async function withTempDir<T>(
  parent: string | undefined,
  task: (directory: string) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(parent ?? tmpdir(), 'mlferry-'));
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
 * target, copies, and closes both. Throws only what stops it before the copy begins; see {@link copy} for the rest.
 */
export async function copyBetween(from: string, to: string, options: JobOptions = {}): Promise<CopyResult> {
  const selection: Selection = { ...ALL_ACTIVE, ...options.selection };
  searchOf(selection);
  const dryRun = options.dryRun ?? false;
  const ledger = createLedger();
  return withTempDir(options.tempDir, async (tempDir) => {
    const shared = placeOptions(options, tempDir, ledger, 'from');
    const reader = await openReader(from, shared);
    try {
      const writer = await openWriter(to, {
        ...placeOptions(options, tempDir, ledger, 'to'),
        dryRun,
        overwrite: options.overwrite ?? false,
        source: reader.info,
        selection,
        toolVersion: TOOL_VERSION,
      });
      return await copy(reader, writer, {
        selection,
        concurrency: shared.concurrency,
        rename: options.rename ?? [],
        into: options.into,
        parts: { metrics: options.metrics ?? true, artifacts: options.artifacts ?? true },
        dryRun,
        signal: shared.signal,
        ledger,
        onProgress: options.onProgress,
      });
    } finally {
      await reader.close();
    }
  });
}
