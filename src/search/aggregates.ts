import { compareInt64 } from '../model/int64.ts';
import { toDouble } from '../model/metric-value.ts';
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

/** The aggregates of the points read so far and one more; `known` is undefined before the first. */
export function addPoint(known: HistoryAggregates | undefined, point: Point): HistoryAggregates {
  const value = toDouble(point[2]);
  if (known === undefined) return { min: value, max: value, first: point, count: 1 };
  const isEarlier = (compareInt64(point[0], known.first[0]) || compareInt64(point[1], known.first[1])) < 0;
  return {
    min: leastOf(known.min, value, Math.min),
    max: leastOf(known.max, value, Math.max),
    first: isEarlier ? point : known.first,
    count: known.count + 1,
  };
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
