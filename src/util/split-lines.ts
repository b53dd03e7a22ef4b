import { MlferryError } from './errors.ts';

/** Longest line, its line end included (bytes). */
export const MAX_LINE_BYTES = 64 * 2 ** 20;

const LINE_FEED = 0x0a;

/**
 * Lines of a byte stream, line ends included, whose bytes stay what they are if those of the chunks do; `where` names the stream in errors. Throws CORRUPT for a line beyond
 * {@link MAX_LINE_BYTES} (before it is all in memory) and TRUNCATED when the last line has no end.
 */
export async function* splitLines(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
): AsyncGenerator<Uint8Array> {
  let pending = Buffer.alloc(0);
  let pendingLength = 0;
  let number = 1;
  const keep = (bytes: Uint8Array) => {
    if (pendingLength + bytes.length > MAX_LINE_BYTES) {
      throw new MlferryError('CORRUPT', `${where}, line ${number} is longer than ${MAX_LINE_BYTES} bytes`);
    }
    if (pending.length < pendingLength + bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(2 * pending.length, pendingLength + bytes.length));
      pending.copy(larger, 0, 0, pendingLength);
      pending = larger;
    }
    pending.set(bytes, pendingLength);
    pendingLength += bytes.length;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let stop = chunk.indexOf(LINE_FEED); stop !== -1; stop = chunk.indexOf(LINE_FEED, start)) {
      const part = chunk.subarray(start, stop + 1);
      start = stop + 1;
      if (pendingLength === 0 && part.length <= MAX_LINE_BYTES) yield part;
      else {
        keep(part);
        const line = pending.subarray(0, pendingLength);
        pending = Buffer.alloc(0);
        pendingLength = 0;
        yield line;
      }
      number += 1;
    }
    if (start < chunk.length) keep(chunk.subarray(start));
  }
  if (pendingLength > 0) throw new MlferryError('TRUNCATED', `${where} ends within line ${number}`);
}
