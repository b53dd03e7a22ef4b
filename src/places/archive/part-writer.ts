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
export function createPartWriter(writeEntry: WriteEntry): {
  lines(bytes: Uint8Array): Promise<void>;
  /** Writes what is left. */
  flush(): Promise<void>;
} {
  let part: Uint8Array[] = [];
  let partLength = 0;
  let line: Uint8Array[] = [];
  let lineLength = 0;
  let number = 0;

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
