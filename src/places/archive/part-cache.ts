import { decompress } from '../decompress.ts';
import type { Input } from '../input-file.ts';
import { MAX_LINE_BYTES } from '../record-lines.ts';
import type { Part } from './check-archive.ts';

const MOST_PARTS = 4;

/**
 * The record lines of checked parts by their offsets. The parts used last stay decompressed (at most 4), shared by the
 * runs that are read at the same time.
 */
export function createPartCache(
  input: Input,
  parts: readonly Part[],
  where: string,
): (start: number, end: number) => AsyncIterable<Uint8Array> {
  const loaded = new Map<Part, Promise<Buffer>>();

  const load = async ({ entry }: Part): Promise<Buffer> => {
    const stored = input.read(entry.offset, entry.offset + entry.size);
    const pieces: Uint8Array[] = [];
    const most = { bytes: MAX_LINE_BYTES, ratio: 0 };
    for await (const piece of decompress(stored, 'zstd', `${where}: ${entry.name}`, most)) pieces.push(piece);
    return Buffer.concat(pieces);
  };
  const linesOf = (part: Part): Promise<Buffer> => {
    const lines = loaded.get(part) ?? load(part);
    loaded.delete(part);
    loaded.set(part, lines);
    for (const oldest of loaded.keys()) {
      if (loaded.size <= MOST_PARTS) break;
      loaded.delete(oldest);
    }
    return lines;
  };

  return async function* (start, end) {
    for (let at = start; at < end; ) {
      const part = partAt(parts, at);
      if (part === undefined) return;
      yield (await linesOf(part)).subarray(at - part.start, end - part.start);
      at = part.end;
    }
  };
}

function partAt(parts: readonly Part[], offset: number): Part | undefined {
  let low = 0;
  let high = parts.length - 1;
  while (low <= high) {
    const middle = (low + high) >> 1;
    const part = parts[middle];
    if (part === undefined) return undefined;
    if (offset < part.start) high = middle - 1;
    else if (offset >= part.end) low = middle + 1;
    else return part;
  }
  return undefined;
}
