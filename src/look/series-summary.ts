import type { Int64 } from '../model/int64.ts';
import { forEachPoint, type Points } from '../model/points.ts';

/** A point of a history. */
export interface SeriesPoint {
  readonly step: Int64;
  /** ms since the epoch. */
  readonly timestamp: Int64;
  readonly value: number;
}

/** A history in short: all is of the points that were added, in their order. */
export interface SeriesSummary {
  readonly count: number;
  /** Least and greatest value; absent where all are NaN. */
  readonly min?: SeriesPoint;
  readonly max?: SeriesPoint;
  /** At most so many points as were asked for, with the extremes of each stretch among them. */
  readonly points: readonly SeriesPoint[];
}

interface Stretch {
  min: SeriesPoint;
  max: SeriesPoint;
  minIndex: number;
  maxIndex: number;
}

/**
 * Sums a history up while it is read, in memory that does not grow with it: stretches of one length, of which the least and the
 * greatest point are kept; when there are too many, two become one. `most` (at least 4): how many points are kept.
 */
export function createSeriesSummary(most: number) {
  const stretches: Stretch[] = [];
  let length = 1;
  let count = 0;
  let min: SeriesPoint | undefined;
  let max: SeriesPoint | undefined;
  const add = (step: Int64, timestamp: Int64, value: number) => {
    const point = { step, timestamp, value };
    if (min === undefined || value < min.value || Number.isNaN(min.value)) min = point;
    if (max === undefined || value > max.value || Number.isNaN(max.value)) max = point;
    const at = Math.floor(count / length);
    const own = { min: point, max: point, minIndex: count, maxIndex: count };
    const known = stretches[at];
    stretches[at] = known === undefined ? own : joined(known, own);
    count += 1;
    while (stretches.length * Math.min(length, 2) > most) {
      length *= 2;
      const pairs = stretches.splice(0);
      for (let index = 0; index < pairs.length; index += 2) {
        const [first, second] = [pairs[index], pairs[index + 1]];
        if (first !== undefined) stretches.push(second === undefined ? first : joined(first, second));
      }
    }
  };
  return {
    add: (points: Points) => forEachPoint(points, add),
    end(): SeriesSummary {
      const told = (point: SeriesPoint | undefined) =>
        point === undefined || Number.isNaN(point.value) ? undefined : point;
      const [least, greatest] = [told(min), told(max)];
      return {
        count,
        ...(least === undefined ? {} : { min: least }),
        ...(greatest === undefined ? {} : { max: greatest }),
        points: stretches.flatMap((stretch) => {
          if (stretch.minIndex === stretch.maxIndex) return [stretch.min];
          return stretch.minIndex < stretch.maxIndex
            ? [stretch.min, stretch.max]
            : [stretch.max, stretch.min];
        }),
      };
    },
  };
}

/** Of NaN and a number the number is both the least and the greatest. */
function joined(a: Stretch, b: Stretch): Stretch {
  const takesMin = b.min.value < a.min.value || Number.isNaN(a.min.value);
  const takesMax = b.max.value > a.max.value || Number.isNaN(a.max.value);
  return {
    min: takesMin ? b.min : a.min,
    minIndex: takesMin ? b.minIndex : a.minIndex,
    max: takesMax ? b.max : a.max,
    maxIndex: takesMax ? b.maxIndex : a.maxIndex,
  };
}
