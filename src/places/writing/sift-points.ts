import { compareInt64 } from '../../model/int64.ts';
import { fromDouble, toDouble } from '../../model/metric-value.ts';
import { latestOf } from '../../model/mlflow/latest-points.ts';
import { isKeyAllowed, type TargetLimits } from '../../model/mlflow/limits.ts';
import { comparable, createPointSet, type PointSet } from '../../model/point-set.ts';
import { buildPoints, filterPoints, type Points, pointAt } from '../../model/points.ts';
import type { Point } from '../../model/records.ts';
import type { MetricPoints } from '../place.ts';

/** How points are sorted out before they are sent. */
export interface Sieve {
  readonly limits: TargetLimits;
  /** Whether the store merges points that are exactly equal (SQL stores; a FileStore keeps each). */
  readonly merges: boolean;
  /** Whether the target takes points before 1970. */
  readonly negativeTimestamps: boolean;
  /** What the target has of a key: nothing, all (skip it), or these points. */
  present(key: string): Promise<'nothing' | 'everything' | PointSet>;
  /** Takes points that the target refuses. */
  spill(piece: MetricPoints): Promise<void>;
}

/** A point and its key. */
export interface KeyPoint {
  readonly key: string;
  readonly point: Point;
}

/** What became of the points of one run. */
export interface PointTally {
  /** Equal to another point of the same key. */
  duplicates: number;
  negativeTimestamps: number;
  infinities: number;
  negativeZeros: number;
  /** Samples, to ask the target afterwards whether it keeps them. */
  infinity: KeyPoint | undefined;
  negativeZero: KeyPoint | undefined;
  /** Keys that the target refuses, and how many points they have. */
  readonly refusedKeys: Map<string, number>;
  /** The latest point of each key among those sent, by MLflow's order. */
  readonly latest: Map<string, Point>;
}

/** A tally of nothing yet. */
export function newTally(): PointTally {
  return {
    duplicates: 0,
    negativeTimestamps: 0,
    infinities: 0,
    negativeZeros: 0,
    infinity: undefined,
    negativeZero: undefined,
    refusedKeys: new Map(),
    latest: new Map(),
  };
}

/**
 * The points that have to be sent, counted in `tally`; the rest is skipped or spilled. Holds at most one key's points,
 * 24 bytes each. A NaN point sent twice would be refused with its whole batch, so equal points are sent once.
 */
export async function* siftPoints(
  source: AsyncIterable<MetricPoints>,
  sieve: Sieve,
  tally: PointTally,
): AsyncGenerator<MetricPoints> {
  let current:
    | { key: string; present: 'everything' | 'refused' | PointSet | undefined; sent: PointSet | undefined }
    | undefined;

  const start = async (key: string) => {
    if (!isKeyAllowed(key, sieve.limits)) return { key, present: 'refused' as const, sent: undefined };
    const present = await sieve.present(key);
    if (present !== 'nothing') return { key, present, sent: undefined };
    return { key, present: undefined, sent: sieve.merges ? createPointSet() : undefined };
  };

  for await (const piece of source) {
    const { key } = piece;
    if (current?.key !== key) current = await start(key);
    const { present, sent } = current;
    if (present === 'everything') continue;
    if (present === 'refused') {
      tally.refusedKeys.set(key, (tally.refusedKeys.get(key) ?? 0) + piece.points.length);
      await sieve.spill(piece);
      continue;
    }
    const refused = buildPoints();
    const wanted = filterPoints(piece.points, (step, timestamp, value) => {
      if (!sieve.negativeTimestamps && compareInt64(timestamp, 0) < 0) {
        refused.push(step, timestamp, value);
        return false;
      }
      if (present !== undefined) return present.add(step, timestamp, value);
      const isNew = sent === undefined || sent.add(step, timestamp, value);
      if (!isNew) tally.duplicates++;
      return isNew;
    });
    if (refused.length > 0) {
      tally.negativeTimestamps += refused.length;
      await sieve.spill({ key, points: refused });
    }
    if (wanted.length === 0) continue;
    count(key, wanted, tally);
    yield { key, points: wanted };
  }
}

function count(key: string, points: Points, tally: PointTally): void {
  for (const [index, value] of points.values.entries()) {
    if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
      tally.infinities++;
      tally.infinity ??= { key, point: pointAt(points, index) };
    } else if (Object.is(value, -0)) {
      tally.negativeZeros++;
      tally.negativeZero ??= { key, point: pointAt(points, index) };
    }
  }
  const latest = latestOf(points, tally.latest.get(key));
  if (latest !== undefined) tally.latest.set(key, latest);
}

/** A point as a SQL store keeps it: see point-set.ts. */
export function comparablePoint([step, timestamp, value]: Point): Point {
  return [step, timestamp, fromDouble(comparable(toDouble(value)))];
}
