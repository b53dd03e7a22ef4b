import { basename } from 'node:path';

/** Compression of a file, by its name. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Compression of a file by the suffix of its name; `undefined` when the name has none of these, or nothing else. */
export function compressionByName(
  path: string,
  suffixes: Readonly<Record<string, Compression>>,
): Compression | undefined {
  const name = basename(path).toLowerCase();
  return Object.entries(suffixes).find(([suffix]) => name.endsWith(suffix) && name !== suffix)?.[1];
}
