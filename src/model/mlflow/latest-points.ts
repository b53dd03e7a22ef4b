import { compareInt64 } from '../int64.ts';
import { fromDouble, toDouble } from '../metric-value.ts';
import { PointColumns, type PointList } from '../point-columns.ts';
import type { Point } from '../records.ts';

/**
 * `latest_metrics` of a run from its points: per key the one with the greatest (step, timestamp, value) in the order of
 * {@link compareLatest}; of equals the first.
 */
export async function latestPoints(
  pieces: AsyncIterable<{ readonly key: string; readonly points: PointList }>,
): Promise<Record<string, Point>> {
  const latest = new Map<string, Point>();
  for await (const { key, points } of pieces) {
    for (const point of points instanceof PointColumns ? latestOf(points) : points) {
      const known = latest.get(key);
      if (known === undefined || compareLatest(point, known) > 0) latest.set(key, point);
    }
  }
  return Object.fromEntries([...latest].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The latest point of columns, none of no points. */
function latestOf({ steps, timestamps, values }: PointColumns): Point[] {
  if (values.length === 0) return [];
  let best = 0;
  for (let at = 1; at < values.length; at++) {
    const order =
      (steps[at] ?? 0) - (steps[best] ?? 0) ||
      (timestamps[at] ?? 0) - (timestamps[best] ?? 0) ||
      rankOf(values[at] ?? 0) - rankOf(values[best] ?? 0);
    if (order > 0) best = at;
  }
  return [[steps[best] ?? 0, timestamps[best] ?? 0, fromDouble(values[best] ?? 0)]];
}

/**
 * MLflow's order of "latest": step, timestamp, value; NaN counts as 0, and ±Infinity as the greatest double, which a SQL
 * store keeps instead (`sanitize_metric_value`; 2.9.2, 3.1.4). A FileStore takes Python's `max` of the same three: it differs
 * only among points of one step and time, where a NaN that stands first wins, a later one never does, and an infinity is
 * beyond the greatest double. One order for all places, so that a run has the same digest everywhere.
 */
export function compareLatest(a: Point, b: Point): number {
  return compareInt64(a[0], b[0]) || compareInt64(a[1], b[1]) || rank(a) - rank(b);
}

const rank = ([, , value]: Point) => rankOf(toDouble(value));

function rankOf(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}
