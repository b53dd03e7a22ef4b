import type { LocationText } from '../location-text.ts';
import { type Compression, compressionByName } from '../record-files/file-compression.ts';

/** An archive file. */
export interface ArchiveLocation {
  readonly path: string;
  readonly compression: Compression;
}

const SUFFIXES = { '.tar': 'none', '.tar.gz': 'gzip', '.tgz': 'gzip', '.tar.zst': 'zstd' } as const;

/** The archive that a location names: a file by its name. */
export function archiveLocation({ path }: LocationText): ArchiveLocation | undefined {
  if (path === undefined) return undefined;
  const compression = compressionByName(path, SUFFIXES);
  return compression === undefined ? undefined : { path, compression };
}
