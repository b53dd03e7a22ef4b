import { rm } from 'node:fs/promises';
import type { Failure, Findings, Loss } from '../model/findings.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import type { Manager } from '../places/manager.ts';
import * as places from '../places/open.ts';
import type { Reader, Writer } from '../places/place.ts';
import type { PlaceOptions, WriterOptions } from '../places/place-options.ts';
import { makeTempDir } from '../util/temp-dir.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { type OnePlaceOptions, onePlaceOptions } from './job-options.ts';
import { createLedger } from './ledger.ts';

/** How a place is opened by itself; all has defaults. */
export interface OpenOptions extends OnePlaceOptions {
  /** Which credentials it takes: `from` for a reader, `to` for a writer or manager unless told. */
  readonly side?: PlaceOptions['side'] | undefined;
  /** Hears of losses and failures; without it they are collected in what was opened. */
  readonly findings?: Findings | undefined;
}

/** What a place told that was opened by itself, unless `findings` hears it. Failures are what could not be read or written. */
export interface Found {
  readonly losses: readonly Loss[];
  readonly failures: readonly Failure[];
}

/** How a writer is opened by itself. */
export interface OpenWriterOptions extends OpenOptions {
  /** What is written comes from here: an archive or stream keeps it in its header. */
  readonly source: Pick<Reader, 'info' | 'traits'>;
  /** Default: all that is active. */
  readonly selection?: Partial<Selection> | undefined;
  readonly dryRun?: boolean | undefined;
  readonly overwrite?: boolean | undefined;
}

/**
 * Opens a place for reading. An archive or stream is checked whole before this returns. To be closed, which removes its spool files.
 * Throws LOCATION, and what the place says of a server or file that is not as it should be.
 */
export function openReader(location: string, options: OpenOptions = {}): Promise<Reader & Found> {
  return opened(options, 'from', async (place, found) => {
    const reader = await places.openReader(location, place);
    return { ...reader, ...found };
  });
}

/** Opens a place for writing. To be ended with `finish` or `abort`, and closed, which removes its spool files. Throws as {@link openReader}. */
export function openWriter(
  location: string,
  { source, selection, dryRun = false, overwrite = false, ...options }: OpenWriterOptions,
): Promise<Writer & Found & { close(): Promise<void> }> {
  return opened(options, 'to', async (place, found) => {
    const writerOptions: WriterOptions = {
      ...place,
      dryRun,
      overwrite,
      source: source.info,
      sourceTraits: source.traits,
      selection: { ...ALL_ACTIVE, ...selection },
      toolVersion: TOOL_VERSION,
    };
    const writer = await places.openWriter(location, writerOptions);
    return { ...writer, ...found, close: async () => undefined };
  });
}

/** Opens a place whose runs and experiments can be changed in place. To be closed. Throws as {@link openReader}. */
export function openManager(location: string, options: OpenOptions = {}): Promise<Manager & Found> {
  return opened(options, 'to', async (place, found) => {
    const manager = await places.openManager(location, place);
    return { ...manager, ...found };
  });
}

/** Opens with a spool directory of its own, which is removed when the place is closed or could not be opened. */
async function opened<T extends { close(): Promise<void> }>(
  { findings, side, ...options }: OpenOptions,
  usual: PlaceOptions['side'],
  open: (place: PlaceOptions, found: Found) => Promise<T>,
): Promise<T> {
  const ledger = createLedger();
  const tempDir = await makeTempDir(options.tempDir);
  const remove = () => rm(tempDir, { recursive: true, force: true });
  try {
    const place = await open(onePlaceOptions(options, tempDir, findings ?? ledger, side ?? usual), {
      losses: ledger.losses,
      failures: ledger.failures,
    });
    return {
      ...place,
      close: async () => {
        await place.close();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
