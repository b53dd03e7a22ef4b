import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import type { WriteEntry } from './blob-store.ts';
import { partName } from './entry-names.ts';

/** A part is closed before the line that would make it longer than this (bytes, uncompressed). */
const PART_BYTES = 4 * 2 ** 20;
const LINE_FEED = 0x0a;
const compress = promisify(zstdCompress);

/** Cuts record lines into compressed parts; where it cuts depends on the lines only, not on the pieces they come in. */
export interface PartWriter {
  lines(bytes: Uint8Array): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
  /** How many parts were written. */
  count(): number;
  /** Bytes of the whole lines that no part holds yet. */
  openLength(): number;
  /** Those lines from byte `start` on, which must be where a line begins. */
  openLines(start: number): Uint8Array;
}

/** A {@link PartWriter} that goes on behind `start`: so many parts, and the lines that no part holds yet. */
export function createPartWriter(
  writeEntry: WriteEntry,
  start: { parts: number; open: Uint8Array } = { parts: 0, open: Buffer.alloc(0) },
): PartWriter {
  let part: Uint8Array[] = [start.open];
  let partLength = start.open.length;
  let line: Uint8Array[] = [];
  let lineLength = 0;
  let number = start.parts;

  const flush = async () => {
    if (partLength === 0) return;
    number += 1;
    const stored = await compress(Buffer.concat(part, partLength));
    part = [];
    partLength = 0;
    const sha256 = createHash('sha256').update(stored).digest('hex');
    await writeEntry(partName(number), stored.length, sha256, once(stored));
  };

  return {
    flush,
    count: () => number,
    openLength: () => partLength,
    openLines: (start) => {
      let first = part.length;
      for (let at = partLength; at > start && first > 0; first--) at -= part[first - 1]?.length ?? 0;
      return Buffer.concat(part.slice(first));
    },
    lines: async (bytes) => {
      for (let start = 0; start < bytes.length; ) {
        const stop = bytes.indexOf(LINE_FEED, start) + 1;
        const piece = bytes.subarray(start, stop === 0 ? bytes.length : stop);
        start += piece.length;
        line.push(piece);
        lineLength += piece.length;
        if (stop === 0) return;
        if (partLength + lineLength > PART_BYTES) await flush();
        for (const each of line) part.push(each);
        partLength += lineLength;
        line = [];
        lineLength = 0;
      }
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
