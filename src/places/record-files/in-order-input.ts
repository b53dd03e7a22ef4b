import type { Input } from './input-file.ts';

/** Bytes that are read at once. */
const AHEAD = 2 ** 17;

/**
 * The same input for one reading from the first byte to the last: headers, padding and small contents, which stand one
 * behind the other, are cut from larger pieces. One read at a time.
 */
export function inOrder(input: Input): Pick<Input, 'size' | 'read'> {
  let start = 0;
  let ahead: Uint8Array = new Uint8Array();
  return {
    size: input.size,
    read: async function* (from, to) {
      if (to - from > AHEAD / 2) {
        yield* input.read(from, to);
        return;
      }
      if (from < start || to > start + ahead.length) {
        const pieces: Uint8Array[] = [];
        for await (const piece of input.read(from, Math.max(to, Math.min(input.size, from + AHEAD))))
          pieces.push(piece);
        const [first = new Uint8Array()] = pieces;
        ahead = pieces.length > 1 ? Buffer.concat(pieces) : first;
        start = from;
      }
      if (to > from) yield ahead.subarray(from - start, to - start);
    },
  };
}
