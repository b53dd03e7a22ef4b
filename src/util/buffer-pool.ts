/**
 * Buffers that are used again. One made for each run would be garbage outside of the heap, which the collector frees late:
 * it costs memory, and a collection of the whole heap for every few dozen of them.
 */

/** Sizes are powers of two between these (bytes); larger buffers are not kept. */
const LEAST = 2 ** 14;
const MOST = 2 ** 20;
/** Bytes that wait for their next use. */
const MOST_SPARE = 2 ** 23;

const spare = new Map<number, Buffer[]>();
let spareBytes = 0;

/** A buffer of at least `size` bytes, whatever stands in it. */
export function takeBuffer(size: number): Buffer {
  const whole = size <= LEAST ? LEAST : 2 ** Math.ceil(Math.log2(size));
  const known = spare.get(whole)?.pop();
  if (known === undefined) return Buffer.allocUnsafeSlow(whole);
  spareBytes -= whole;
  return known;
}

/** Gives a buffer of {@link takeBuffer} back: nobody may look at it any more. */
export function giveBackBuffer(buffer: Buffer): void {
  const { length } = buffer;
  if (length < LEAST || length > MOST || spareBytes + length > MOST_SPARE) return;
  const same = spare.get(length) ?? [];
  spare.set(length, same);
  same.push(buffer);
  spareBytes += length;
}
