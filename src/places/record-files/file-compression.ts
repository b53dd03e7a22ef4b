import { basename } from 'node:path';

/** Compression of a file, by its name. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Behind the other suffixes of an encrypted file. */
const ENCRYPTED = '.age';

/** Whether the name of a file says that it is encrypted. */
export function isEncryptedByName(path: string): boolean {
  return path.toLowerCase().endsWith(ENCRYPTED);
}

/** Compression of a file by the suffix of its name, before the `.age` of an encrypted one; `undefined` when the name has none of these, or nothing else. */
export function compressionByName(
  path: string,
  suffixes: Readonly<Record<string, Compression>>,
): Compression | undefined {
  const whole = basename(path).toLowerCase();
  const name = isEncryptedByName(whole) ? whole.slice(0, -ENCRYPTED.length) : whole;
  return Object.entries(suffixes).find(([suffix]) => name.endsWith(suffix) && name !== suffix)?.[1];
}
