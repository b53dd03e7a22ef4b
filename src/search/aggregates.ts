import { compareInt64 } from '../model/int64.ts';
import { forEachPoint, type Points, pointAt } from '../model/points.ts';
import type { Point } from '../model/records.ts';
import type { Aggregate, Expression } from './expression.ts';

/** What an expression can ask of the whole history of a metric. */
export interface HistoryAggregates {
  /** Smallest and largest value, NaN left out; NaN where all are. */
  readonly min: number;
  readonly max: number;
  /** The point with the least (step, timestamp); of equals the one that was read first. */
  readonly first: Point;
  /** How many points there are. */
  readonly count: number;
}

/** The aggregates of the points read so far and more of them; undefined before the first. */
export function addPoints(
  known: HistoryAggregates | undefined,
  points: Points,
): HistoryAggregates | undefined {
  if (points.length === 0) return known;
  const start = known ?? { min: Number.NaN, max: Number.NaN, first: pointAt(points, 0), count: 0 };
  let { min, max, first } = start;
  forEachPoint(points, (step, timestamp, value, index) => {
    min = leastOf(min, value, Math.min);
    max = leastOf(max, value, Math.max);
    const isEarlier = (compareInt64(step, first[0]) || compareInt64(timestamp, first[1])) < 0;
    if (isEarlier) first = pointAt(points, index);
  });
  return { min, max, first, count: start.count + points.length };
}

function leastOf(a: number, b: number, choose: (a: number, b: number) => number): number {
  if (Number.isNaN(a)) return b;
  return Number.isNaN(b) ? a : choose(a, b);
}

const NEED_HISTORY: readonly (Aggregate | undefined)[] = ['MIN', 'MAX', 'FIRST', 'COUNT'];

/** The metrics whose whole history an expression asks for: none without MIN, MAX, FIRST or COUNT. */
export function needsHistory(expression: Expression): Set<string> {
  switch (expression.type) {
    case 'comparison': {
      const { subject } = expression;
      const isNeeded = subject.entity === 'metric' && NEED_HISTORY.includes(subject.aggregate);
      return new Set(isNeeded ? [subject.key] : []);
    }
    case 'not':
      return needsHistory(expression.term);
    default:
      return new Set(expression.terms.flatMap((term) => [...needsHistory(term)]));
  }
}
