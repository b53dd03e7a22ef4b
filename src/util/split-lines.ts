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
    if (pendingLength + bytes.length > MAX_LINE_BYTES) throw tooLong(where, number);
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

/**
 * The same bytes, which `where` names in errors, for those who take all of them before they look at any: `onFirst` gets the
 * first line and may refuse it. Throws CORRUPT for a line as soon as it is beyond {@link MAX_LINE_BYTES}.
 */
export async function* guardLines(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  onFirst: (line: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  const first: Uint8Array[] = [];
  let number = 1;
  let length = 0;
  for await (const chunk of chunks) {
    let start = 0;
    let stop: number;
    do {
      stop = chunk.indexOf(LINE_FEED, start);
      const part = chunk.subarray(start, stop === -1 ? chunk.length : stop + 1);
      length += part.length;
      if (length > MAX_LINE_BYTES) throw tooLong(where, number);
      if (number === 1) first.push(Buffer.from(part));
      if (stop === -1) break;
      if (number === 1) onFirst(Buffer.concat(first));
      number += 1;
      length = 0;
      start = stop + 1;
    } while (start < chunk.length);
    yield chunk;
  }
}

const tooLong = (where: string, number: number) =>
  new MlferryError('CORRUPT', `${where}, line ${number} is longer than ${MAX_LINE_BYTES} bytes`);
