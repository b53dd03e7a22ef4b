import { type Int64, isInt64 } from './int64.ts';
import { fromDouble, toDouble } from './metric-value.ts';
import type { Point } from './records.ts';

/**
 * Points of one metric as columns of one length, so that millions of them need no object each. Integers beyond 2^53 are
 * decimal strings, as in records; values are doubles: NaN, ±Infinity and -0 are themselves.
 */
export interface Points {
  readonly length: number;
  readonly steps: readonly Int64[];
  /** ms since the epoch. */
  readonly timestamps: readonly Int64[];
  readonly values: readonly number[];
  /** The points as the JSON they were read from, while nobody has asked for the columns; its numbers may have another spelling. */
  readonly json?: Uint8Array | undefined;
  /** The one with the greatest (step, timestamp), where that is known without the columns. */
  latest?(): Point | undefined;
}

/** Points in the making: at any time those pushed so far. */
export interface PointsBuilder extends Points {
  push(step: Int64, timestamp: Int64, value: number): void;
}

/** A {@link PointsBuilder} that begins with a copy of `start`, or empty. */
export function buildPoints(start?: Points): PointsBuilder {
  const steps = start?.steps.slice() ?? [];
  const timestamps = start?.timestamps.slice() ?? [];
  const values = start?.values.slice() ?? [];
  return {
    steps,
    timestamps,
    values,
    get length() {
      return values.length;
    },
    push(step, timestamp, value) {
      steps.push(step);
      timestamps.push(timestamp);
      values.push(value);
    },
  };
}

/** Columns, which must have one length, as points. */
export function columns(
  steps: readonly Int64[],
  timestamps: readonly Int64[],
  values: readonly number[],
): Points {
  return { length: values.length, steps, timestamps, values };
}

/** The points of a list. */
export function pointsOf(list: readonly Point[]): Points {
  const points = buildPoints();
  for (const [step, timestamp, value] of list) points.push(step, timestamp, toDouble(value));
  return points;
}

/** One point. Throws RangeError where there is none. */
export function pointAt({ steps, timestamps, values }: Points, index: number): Point {
  const [step, timestamp, value] = [steps[index], timestamps[index], values[index]];
  if (step === undefined || timestamp === undefined || value === undefined)
    throw new RangeError(`There is no point ${index}`);
  return [step, timestamp, fromDouble(value)];
}

/** The points as a list, an array each: for few of them. */
export function listPoints(points: Points): Point[] {
  return Array.from(points.values, (_, index) => pointAt(points, index));
}

/** Calls `use` with each point in turn. */
export function forEachPoint(
  { length, steps, timestamps, values }: Points,
  use: (step: Int64, timestamp: Int64, value: number, index: number) => void,
): void {
  for (let index = 0; index < length; index++)
    use(steps[index] ?? 0, timestamps[index] ?? 0, values[index] ?? 0, index);
}

/** The points from one index to another (exclusive). */
export function slicePoints(points: Points, from: number, to: number): Points {
  if (from === 0 && to >= points.length) return points;
  const { steps, timestamps, values } = points;
  return columns(steps.slice(from, to), timestamps.slice(from, to), values.slice(from, to));
}

/** The points that `keep` is true of; the very same object when it is of all. */
export function filterPoints(
  points: Points,
  keep: (step: Int64, timestamp: Int64, value: number) => boolean,
): Points {
  const kept = buildPoints();
  forEachPoint(points, (step, timestamp, value) => {
    if (keep(step, timestamp, value)) kept.push(step, timestamp, value);
  });
  return kept.length === points.length ? points : kept;
}

/** Whether records may hold these points: integers have their one spelling, columns one length. */
export function areRecordable({ length, steps, timestamps, values }: Points): boolean {
  return (
    values.length === length &&
    steps.length === length &&
    timestamps.length === length &&
    steps.every(isInt64) &&
    timestamps.every(isInt64)
  );
}

/** Whether one of the points is this one; NaN is NaN, and -0 is 0. */
export function includesPoint(
  { steps, timestamps, values }: Points,
  [step, timestamp, value]: Point,
): boolean {
  const double = toDouble(value);
  const isNaNToo = Number.isNaN(double);
  return values.some(
    (each, index) =>
      (each === double || (isNaNToo && Number.isNaN(each))) &&
      steps[index] === step &&
      timestamps[index] === timestamp,
  );
}
