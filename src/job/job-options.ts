import { rm } from 'node:fs/promises';
import type { PartOptions } from '../kinds/parts.ts';
import type { LossCode } from '../model/findings.ts';
import type { Selection } from '../model/selection.ts';
import type { PlaceOptions, PlaceSettings, TlsOptions } from '../places/place-options.ts';
import { makeTempDir } from '../util/temp-dir.ts';
import type { JobProgress } from './journal.ts';
import type { Progress } from './progress.ts';
import type { RenameRule } from './rename.ts';
import type { Shard } from './shard.ts';

/** Options of whatever opens one place; all have defaults. */
export interface OnePlaceOptions extends PlaceSettings {
  /** Runs in flight, default 8. */
  readonly concurrency?: number | undefined;
  /** Parent of the spool directory, default the system's. */
  readonly tempDir?: string | undefined;
  /** Where credentials and MLflow's settings are looked up, default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Options of whatever opens two places: what may differ is said of each. */
export interface TwoPlaceOptions extends Omit<OnePlaceOptions, 'tls'> {
  readonly tls?: { readonly from?: TlsOptions; readonly to?: TlsOptions } | undefined;
}

/** What of a source goes where in a target, under which names. */
export interface CopyRules extends PartOptions {
  readonly selection?: Partial<Selection> | undefined;
  readonly rename?: readonly RenameRule[] | undefined;
  readonly into?: string | undefined;
  /** Of registered models and prompts. */
  readonly renameModels?: readonly RenameRule[] | undefined;
  /** Runs that the target has under their own ids, because it is the source itself: references to them stay as they are. */
  readonly held?: readonly string[] | undefined;
  /** Losses that leave the result complete, although something stays behind: exit status 0 and not 3. */
  readonly acceptLoss?: readonly LossCode[] | undefined;
}

/** Options of a copy between two locations; all have defaults. */
export interface JobOptions extends TwoPlaceOptions, CopyRules {
  readonly dryRun?: boolean | undefined;
  /** Replace an archive or stream file that is there. */
  readonly overwrite?: boolean | undefined;
  /** Make MLflow's tables in a target database that is empty or not there. */
  readonly init?: boolean | undefined;
  /** Only these runs, and nothing else than runs: the last step is the same copy without it. */
  readonly shard?: Shard | undefined;
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

/** What a place of a job is opened with, on its side. */
export function placeOptions(
  options: TwoPlaceOptions,
  tempDir: string,
  findings: PlaceOptions['findings'],
  side: PlaceOptions['side'],
): PlaceOptions {
  return onePlaceOptions({ ...options, tls: options.tls?.[side] }, tempDir, findings, side);
}

/** What the only place of a job is opened with; by default with the credentials of a target. */
export function onePlaceOptions(
  options: OnePlaceOptions,
  tempDir: string,
  findings: PlaceOptions['findings'],
  side: PlaceOptions['side'] = 'to',
): PlaceOptions {
  return {
    ...options,
    side,
    findings,
    tempDir,
    signal: options.signal ?? new AbortController().signal,
    concurrency: options.concurrency ?? 8,
    environment: options.environment ?? process.env,
  };
}
