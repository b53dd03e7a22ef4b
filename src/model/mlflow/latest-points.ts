import { compareInt64 } from '../int64.ts';
import { toDouble } from '../metric-value.ts';
import type { Point } from '../records.ts';

/**
 * `latest_metrics` of a run from its points: per key the one with the greatest (step, timestamp, value), NaN counting
 * as 0, as MLflow's SQL store and FileStore have it; of equals the first.
 */
export async function latestPoints(
  pieces: AsyncIterable<{ readonly key: string; readonly points: readonly Point[] }>,
): Promise<Record<string, Point>> {
  const latest = new Map<string, Point>();
  for await (const { key, points } of pieces) {
    for (const point of points) {
      const known = latest.get(key);
      if (known === undefined || compareLatest(point, known) > 0) latest.set(key, point);
    }
  }
  return Object.fromEntries([...latest].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * MLflow's order of "latest": step, timestamp, value; NaN counts as 0, and ±Infinity as the greatest double, which a SQL
 * store keeps instead.
 */
export function compareLatest(a: Point, b: Point): number {
  return compareInt64(a[0], b[0]) || compareInt64(a[1], b[1]) || rank(a) - rank(b);
}

function rank([, , value]: Point): number {
  const double = toDouble(value);
  if (Number.isNaN(double)) return 0;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, double));
}
