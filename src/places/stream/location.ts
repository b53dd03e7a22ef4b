import type { LocationText } from '../location-text.ts';
import { type Compression, compressionByName } from '../record-files/file-compression.ts';

/** A stream file; without a path the standard input or output. */
export interface StreamLocation {
  readonly path: string | undefined;
  readonly compression: Compression;
}

const SUFFIXES = { '.ndjson': 'none', '.ndjson.gz': 'gzip', '.ndjson.zst': 'zstd' } as const;

/** The stream that a location names: `-`, or a file by its name. */
export function streamLocation({ text, path }: LocationText): StreamLocation | undefined {
  if (text === '-') return { path: undefined, compression: 'none' };
  if (path === undefined) return undefined;
  const compression = compressionByName(path, SUFFIXES);
  return compression === undefined ? undefined : { path, compression };
}
