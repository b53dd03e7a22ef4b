import { blobPath } from '../record-files/blob-path.ts';

/** First entry: the header line. */
export const MANIFEST = 'manifest.json';
/** Last entry: a line for each entry before it, then the end line. */
export const INDEX = 'index.ndjson';

/** Name of the n-th part of the record lines, counted from 1. */
export const partName = (n: number) => `records/${String(n).padStart(6, '0')}.ndjson.zst`;

/** Name of the bytes with this sha256 (hex), compressed or not. */
export const blobName = (sha256: string, compressed: boolean) =>
  `blobs/${blobPath(sha256)}${compressed ? '.zst' : ''}`;

/** What an entry is, by its name; `undefined` for a name that no archive of ours has. */
export function entryKind(
  name: string,
): { is: 'manifest' | 'index' | 'part' } | { is: 'blob'; sha256: string; compressed: boolean } | undefined {
  if (name === MANIFEST) return { is: 'manifest' };
  if (name === INDEX) return { is: 'index' };
  if (/^records\/\d{6,12}\.ndjson\.zst$/.test(name)) return { is: 'part' };
  const blob = /^blobs\/sha256\/([0-9a-f]{2})\/([0-9a-f]{62})(\.zst)?$/.exec(name);
  if (blob === null) return undefined;
  return { is: 'blob', sha256: `${blob[1]}${blob[2]}`, compressed: blob[3] !== undefined };
}

/** The line of an entry in the index: its name, stored size, sha256 of its stored bytes, and where they begin in the tar. */
export function indexLine(entry: { name: string; size: number; sha256: string; offset: number }): string {
  const { name, size, sha256, offset } = entry;
  return `${JSON.stringify({ kind: 'entry', name, size, sha256, offset })}\n`;
}
