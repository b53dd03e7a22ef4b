import { fromDouble } from './metric-value.ts';
import type { Point } from './records.ts';

/**
 * Points of one metric key: a list of tuples, or {@link PointColumns}. Whoever is in no hurry iterates; the paths that
 * millions of points take look for columns first.
 */
export interface PointList extends Iterable<Point> {
  readonly length: number;
  slice(start?: number, end?: number): PointList;
}

/**
 * Points as three columns of doubles, without an object a point. Steps and timestamps (ms since the epoch) are safe
 * integers, |n| < 2^53; a piece of a series with greater ones comes as tuples. Values are the doubles themselves: NaN,
 * ±Infinity and -0 as they are.
 */
export class PointColumns implements PointList {
  readonly steps: readonly number[];
  readonly timestamps: readonly number[];
  readonly values: readonly number[];

  constructor(steps: readonly number[], timestamps: readonly number[], values: readonly number[]) {
    this.steps = steps;
    this.timestamps = timestamps;
    this.values = values;
  }

  get length(): number {
    return this.values.length;
  }

  *[Symbol.iterator](): Generator<Point> {
    for (let at = 0; at < this.values.length; at++)
      yield [this.steps[at] ?? 0, this.timestamps[at] ?? 0, fromDouble(this.values[at] ?? 0)];
  }

  slice(start?: number, end?: number): PointColumns {
    return new PointColumns(
      this.steps.slice(start, end),
      this.timestamps.slice(start, end),
      this.values.slice(start, end),
    );
  }
}

/** A list of which only the length is known. Throws when its points are asked for. */
export function createCountedPoints(length: number): PointList {
  const unknown = () => {
    throw new TypeError('the points were counted only');
  };
  return { length, slice: unknown, [Symbol.iterator]: unknown };
}

/** Collects points that were parsed: in columns as long as their integers are safe, else as tuples. */
export interface PointCollector {
  readonly length: number;
  add(step: number, timestamp: number, value: number): void;
  /** For any point, also one with integers beyond 2^53. */
  addPoint(point: Point): void;
  /** What was collected; the collector is empty then. */
  take(): PointList;
}

/**
 * An empty {@link PointCollector}, for pieces of some 1000 points: it fills the same arrays again and gives copies of the
 * right size, because growing ones would be most of the garbage.
 */
export function createPointCollector(): PointCollector {
  const steps: number[] = [];
  const timestamps: number[] = [];
  const values: number[] = [];
  let length = 0;
  let tuples: Point[] | undefined;

  const columns = () =>
    new PointColumns(steps.slice(0, length), timestamps.slice(0, length), values.slice(0, length));
  const add = (step: number, timestamp: number, value: number) => {
    if (tuples !== undefined) {
      tuples.push([step, timestamp, fromDouble(value)]);
      return;
    }
    steps[length] = step;
    timestamps[length] = timestamp;
    values[length] = value;
    length += 1;
  };
  return {
    get length() {
      return tuples?.length ?? length;
    },
    add,
    addPoint([step, timestamp, value]) {
      if (typeof step === 'number' && typeof timestamp === 'number') add(step, timestamp, Number(value));
      else {
        tuples ??= [...columns()];
        tuples.push([step, timestamp, value]);
      }
    },
    take() {
      const points = tuples ?? columns();
      length = 0;
      tuples = undefined;
      return points;
    },
  };
}
