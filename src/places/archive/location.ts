import type { LocationText } from '../location-text.ts';
import { type Compression, compressionByName } from '../record-files/file-compression.ts';

/** An archive file; without a path the standard input or output. */
export interface ArchiveLocation {
  readonly path: string | undefined;
  readonly compression: Compression;
}

const SUFFIXES = { '.tar': 'none', '.tar.gz': 'gzip', '.tgz': 'gzip', '.tar.zst': 'zstd' } as const;
/** What stands for an archive in a pipe, and how it is compressed when it is written. */
export const ARCHIVE_PIPES = { none: 'tar:-', gzip: 'tar.gz:-', zstd: 'tar.zst:-' } as const;

/** The archive that a location names: a pipe, or a file by its name. */
export function archiveLocation({ text, path }: LocationText): ArchiveLocation | undefined {
  if (text === ARCHIVE_PIPES.none) return { path: undefined, compression: 'none' };
  if (text === ARCHIVE_PIPES.gzip) return { path: undefined, compression: 'gzip' };
  if (text === ARCHIVE_PIPES.zstd) return { path: undefined, compression: 'zstd' };
  if (path === undefined) return undefined;
  const compression = compressionByName(path, SUFFIXES);
  return compression === undefined ? undefined : { path, compression };
}

/** Whether content begins as an archive does. */
export function beginsAsTar(start: Uint8Array): boolean {
  return Buffer.from(start.subarray(257, 262)).toString('latin1') === 'ustar';
}
