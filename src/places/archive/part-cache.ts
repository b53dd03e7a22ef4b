import { MlferryError } from '../../util/errors.ts';
import { decompress, INNER_WINDOW } from '../record-files/decompress.ts';
import type { Input } from '../record-files/input-file.ts';
import type { Part } from './check-archive.ts';

const MOST_PARTS = 2;

/**
 * The record lines of checked parts by their offsets. The parts used last stay decompressed (at most 2), for the short
 * runs that share one; a long run reads each of its parts once.
 */
export function createPartCache(
  input: Input,
  parts: readonly Part[],
  where: string,
): (start: number, end: number) => AsyncIterable<Uint8Array> {
  const loaded = new Map<Part, Promise<Uint8Array>>();

  const load = async ({ entry, start, end }: Part): Promise<Uint8Array> => {
    const stored = input.read(entry.offset, entry.offset + entry.size);
    const size = end - start;
    const most = { bytes: size, ratio: 0, windowLog: INNER_WINDOW, piece: Math.max(size, 64) };
    const pieces: Uint8Array[] = [];
    for await (const piece of decompress(stored, 'zstd', `${where}: ${entry.name}`, most)) pieces.push(piece);
    const [first = Buffer.alloc(0)] = pieces;
    const lines = pieces.length > 1 ? Buffer.concat(pieces) : first;
    if (lines.length !== size) throw new MlferryError('CORRUPT', `${where} changed while it was being read`);
    return lines;
  };
  const linesOf = (part: Part): Promise<Uint8Array> => {
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
