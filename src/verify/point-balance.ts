import { compareInt64, type Int64 } from '../model/int64.ts';
import { fromDouble, type MetricValue, toDouble } from '../model/metric-value.ts';
import { comparable, hash } from '../model/point-set.ts';
import type { Point } from '../model/records.ts';

/** The first point in which two series differ: its value on either side, null where it is not there. */
export interface FirstDifference {
  readonly step: Point[0];
  readonly timestamp: Point[1];
  readonly source: MetricValue | null;
  readonly target: MetricValue | null;
}

/** What two series have not in common. */
export interface PointBalance {
  /** How many points only the source has, and only the target. */
  count(): { source: number; target: number };
  /** Of the source (`1`) or the target (`-1`); one of each cancel each other out. */
  add(step: Int64, timestamp: Int64, value: number, side: 1 | -1): void;
  /** Takes all points of this kind that only the source has away; their number. */
  forgive(step: Int64, timestamp: Int64, value: number): number;
  /** The earliest difference by step, then time. */
  first(): FirstDifference | undefined;
}

/** Value of a point to be compared: as it is, or as a SQL store compares it (see point-set.ts). */
export function comparedValue(value: number, exact: boolean): number {
  return exact ? value : comparable(value);
}

const FREE = Number.NaN;

/**
 * An empty {@link PointBalance}. A hash table with open addressing, 28 bytes a place; what cancelled out is dropped when
 * it grows, so two series that run side by side need little. Integers beyond 2^53 are kept apart as text.
 */
export function createPointBalance(exact: boolean): PointBalance {
  let capacity = 64;
  let doubles = new Float64Array(capacity * 3).fill(FREE);
  let words = new Uint32Array(doubles.buffer);
  let counts = new Int32Array(capacity);
  let used = 0;
  const large = new Map<string, { point: Point; count: number }>();
  const probe = new Float64Array(3);
  const probeWords = new Uint32Array(probe.buffer);

  function slot(): number {
    let index = hash(probeWords, 0) & (capacity - 1);
    while (!Number.isNaN(doubles[index * 3]) && !isProbe(index)) index = (index + 1) & (capacity - 1);
    return index;
  }

  function isProbe(index: number): boolean {
    for (let at = 0; at < 6; at++) if (words[index * 6 + at] !== probeWords[at]) return false;
    return true;
  }

  /** Makes room: without what cancelled out, in a table of twice the size only if that is not enough. */
  function grow(): void {
    const before = { doubles, counts };
    const open = counts.reduce((sum, count) => sum + (count === 0 ? 0 : 1), 0);
    if (open > capacity * 0.35) capacity *= 2;
    doubles = new Float64Array(capacity * 3).fill(FREE);
    words = new Uint32Array(doubles.buffer);
    counts = new Int32Array(capacity);
    used = open;
    for (let at = 0; at < before.counts.length; at++) {
      const count = before.counts[at] ?? 0;
      if (count === 0) continue;
      probe.set(before.doubles.subarray(at * 3, at * 3 + 3));
      const index = slot();
      doubles.set(probe, index * 3);
      counts[index] = count;
    }
  }

  /** The text of a point with an integer beyond 2^53; else the probe is set. */
  function load(step: Int64, timestamp: Int64, value: number): string | undefined {
    const double = comparedValue(value, exact);
    if (typeof step === 'string' || typeof timestamp === 'string')
      return `${step} ${timestamp} ${Object.is(double, -0) ? '-0' : double}`;
    probe[0] = step;
    probe[1] = timestamp;
    probe[2] = double;
    return undefined;
  }

  function* open(): Generator<{ point: Point; count: number }> {
    for (const entry of large.values()) if (entry.count !== 0) yield entry;
    for (let at = 0; at < capacity; at++) {
      const count = counts[at] ?? 0;
      if (count === 0) continue;
      const [step = 0, timestamp = 0, value = 0] = doubles.subarray(at * 3, at * 3 + 3);
      yield { point: [step, timestamp, fromDouble(value)], count };
    }
  }

  return {
    count() {
      const sum = { source: 0, target: 0 };
      for (const { count } of open()) sum[count > 0 ? 'source' : 'target'] += Math.abs(count);
      return sum;
    },
    add(step, timestamp, value, side) {
      const text = load(step, timestamp, value);
      if (text !== undefined) {
        const entry = large.get(text) ?? { point: [step, timestamp, fromDouble(value)], count: 0 };
        entry.count += side;
        if (entry.count === 0) large.delete(text);
        else large.set(text, entry);
        return;
      }
      const index = slot();
      if (Number.isNaN(doubles[index * 3])) {
        doubles.set(probe, index * 3);
        used++;
      }
      counts[index] = (counts[index] ?? 0) + side;
      if (used > capacity * 0.7) grow();
    },
    forgive(step, timestamp, value) {
      const text = load(step, timestamp, value);
      const index = text === undefined ? slot() : 0;
      const count = text === undefined ? (counts[index] ?? 0) : (large.get(text)?.count ?? 0);
      if (count <= 0) return 0;
      if (text === undefined) counts[index] = 0;
      else large.delete(text);
      return count;
    },
    first() {
      let first: { -readonly [Field in keyof FirstDifference]: FirstDifference[Field] } | undefined;
      for (const {
        point: [step, timestamp, value],
        count,
      } of open()) {
        const order =
          first === undefined
            ? -1
            : compareInt64(step, first.step) || compareInt64(timestamp, first.timestamp);
        if (order > 0) continue;
        if (order < 0 || first === undefined) first = { step, timestamp, source: null, target: null };
        const side = count > 0 ? 'source' : 'target';
        const known = first[side];
        if (known === null || toDouble(value) < toDouble(known)) first[side] = value;
      }
      return first;
    },
  };
}
