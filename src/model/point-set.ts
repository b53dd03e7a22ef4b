import type { Int64 } from './int64.ts';

/**
 * A set of points in 24 bytes a place. Two points are the same when a SQL store takes them for the same: NaN equals
 * NaN, -0 equals 0, and ±Infinity equals the largest double, to which SQL stores clamp it.
 */
export interface PointSet {
  readonly size: number;
  has(step: Int64, timestamp: Int64, value: number): boolean;
  /** False when it was there already. */
  add(step: Int64, timestamp: Int64, value: number): boolean;
}

const WORDS = 6;
/** Stands in the first double of a free slot: a step is never NaN. */
const FREE = Number.NaN;

/** An empty {@link PointSet}. Open addressing; integers beyond 2^53 are kept apart as text. */
export function createPointSet(): PointSet {
  let capacity = 256;
  let doubles = freeSlots(capacity);
  let words = new Uint32Array(doubles.buffer);
  let used = 0;
  const large = new Set<string>();
  const probe = new Float64Array(3);
  const probeWords = new Uint32Array(probe.buffer);

  /** Index of the slot that holds the probe, or of the free slot where it belongs. */
  function slot(): number {
    let index = hash(probeWords, 0) & (capacity - 1);
    while (!Number.isNaN(doubles[index * 3]) && !same(words, index * WORDS, probeWords)) {
      index = (index + 1) & (capacity - 1);
    }
    return index;
  }

  function grow(): void {
    const old = doubles;
    capacity *= 2;
    doubles = freeSlots(capacity);
    words = new Uint32Array(doubles.buffer);
    for (let at = 0; at < old.length; at += 3) {
      if (Number.isNaN(old[at])) continue;
      probe.set(old.subarray(at, at + 3));
      doubles.set(probe, slot() * 3);
    }
  }

  /** The text of a point with an integer beyond 2^53; else the probe is set. */
  function load(step: Int64, timestamp: Int64, value: number): string | undefined {
    const double = comparable(value);
    if (typeof step === 'string' || typeof timestamp === 'string') return `${step} ${timestamp} ${double}`;
    probe[0] = step;
    probe[1] = timestamp;
    probe[2] = double;
    return undefined;
  }

  return {
    get size() {
      return used + large.size;
    },
    has(step, timestamp, value) {
      const text = load(step, timestamp, value);
      return text === undefined ? !Number.isNaN(doubles[slot() * 3]) : large.has(text);
    },
    add(step, timestamp, value) {
      const text = load(step, timestamp, value);
      if (text !== undefined) {
        const before = large.size;
        return large.add(text).size > before;
      }
      const index = slot();
      if (!Number.isNaN(doubles[index * 3])) return false;
      doubles.set(probe, index * 3);
      used++;
      if (used > capacity * 0.7) grow();
      return true;
    },
  };
}

function freeSlots(capacity: number): Float64Array<ArrayBuffer> {
  return new Float64Array(capacity * 3).fill(FREE);
}

/** What a SQL store compares: see {@link PointSet}. */
export function comparable(value: number): number {
  if (value === 0) return 0;
  if (value === Number.POSITIVE_INFINITY) return Number.MAX_VALUE;
  if (value === Number.NEGATIVE_INFINITY) return -Number.MAX_VALUE;
  return value;
}

function same(words: Uint32Array, at: number, probe: Uint32Array): boolean {
  for (let index = 0; index < WORDS; index++) if (words[at + index] !== probe[index]) return false;
  return true;
}

/** MurmurHash3's mixing over the six words of three doubles. */
export function hash(words: Uint32Array, at: number): number {
  let state = 0;
  for (let index = 0; index < WORDS; index++) {
    let word = Math.imul(words[at + index] ?? 0, 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    state ^= Math.imul(word, 0x1b873593);
    state = (state << 13) | (state >>> 19);
    state = (Math.imul(state, 5) + 0xe6546b64) | 0;
  }
  state ^= state >>> 16;
  state = Math.imul(state, 0x85ebca6b);
  state ^= state >>> 13;
  state = Math.imul(state, 0xc2b2ae35);
  return (state ^ (state >>> 16)) >>> 0;
}
