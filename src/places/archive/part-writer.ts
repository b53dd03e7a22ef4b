import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { WriteEntry } from './blob-store.ts';
import { partName } from './entry-names.ts';

/** A part is closed before the line that would make it longer than this (bytes, uncompressed). */
const PART_BYTES = 4 * 2 ** 20;
/** Room for a part and the line that closes it, unless that is a long one (bytes). */
export const PART_ROOM = PART_BYTES + 2 ** 18;
const MOST_KEPT = 4 * PART_BYTES;
const LINE_FEED = 0x0a;
/** The digits of metric values: the fastest level makes less of them than the usual one, in a third of the time. */
const HOW = { params: { [constants.ZSTD_c_compressionLevel]: 1 }, chunkSize: 2 ** 21 };
const compress = promisify(zstdCompress);

/** Cuts record lines into compressed parts; where it cuts depends on the lines only, not on the pieces they come in. */
export interface PartWriter {
  /** Takes a copy of the bytes. */
  lines(bytes: Uint8Array): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
  /** How many parts were written. */
  count(): number;
  /** Bytes of the whole lines that no part holds yet. */
  openLength(): number;
  /** Those lines from byte `start` on; valid until the next ones come. */
  openLines(start: number): Uint8Array;
}

/** A {@link PartWriter} that goes on behind `start`: so many parts, and the lines that no part holds yet. */
export function createPartWriter(
  writeEntry: WriteEntry,
  start: { parts: number; open: Uint8Array } = { parts: 0, open: Buffer.alloc(0) },
): PartWriter {
  /** Whole lines, and behind them the beginning of the next one. */
  let part = Buffer.allocUnsafeSlow(PART_ROOM);
  let partLength = 0;
  let lineLength = 0;
  let number = start.parts;

  const add = (bytes: Uint8Array) => {
    const end = partLength + lineLength;
    if (end + bytes.length > part.length) {
      const larger = Buffer.allocUnsafeSlow(2 * (end + bytes.length));
      part.copy(larger, 0, 0, end);
      part = larger;
    }
    part.set(bytes, end);
    lineLength += bytes.length;
  };
  const flush = async () => {
    if (partLength === 0) return;
    number += 1;
    const stored = await compress(part.subarray(0, partLength), HOW);
    const rest = part.subarray(partLength, partLength + lineLength);
    // A long line has made it large.
    if (part.length > MOST_KEPT && rest.length < PART_ROOM) part = Buffer.allocUnsafeSlow(PART_ROOM);
    part.set(rest);
    partLength = 0;
    const sha256 = createHash('sha256').update(stored).digest('hex');
    await writeEntry(partName(number), stored.length, sha256, once(stored));
  };

  add(start.open);
  partLength = start.open.length;
  lineLength = 0;
  return {
    flush,
    count: () => number,
    openLength: () => partLength,
    openLines: (from) => part.subarray(from, partLength),
    lines: async (bytes) => {
      for (let from = 0; from < bytes.length; ) {
        const stop = bytes.indexOf(LINE_FEED, from) + 1;
        const piece = bytes.subarray(from, stop === 0 ? bytes.length : stop);
        from += piece.length;
        add(piece);
        if (stop === 0) return;
        if (partLength + lineLength > PART_BYTES) await flush();
        partLength += lineLength;
        lineLength = 0;
      }
    },
  };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
