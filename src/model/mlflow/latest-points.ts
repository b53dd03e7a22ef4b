import { compareInt64 } from '../int64.ts';
import { toDouble } from '../metric-value.ts';
import { type Points, pointAt } from '../points.ts';
import type { Point } from '../records.ts';

/**
 * `latest_metrics` of a run from its points: per key the one with the greatest (step, timestamp, value) in the order of
 * {@link compareLatest}; of equals the first.
 */
export async function latestPoints(
  pieces: AsyncIterable<{ readonly key: string; readonly points: Points }>,
): Promise<Record<string, Point>> {
  const latest = new Map<string, Point>();
  for await (const { key, points } of pieces) {
    const found = latestOf(points, latest.get(key));
    if (found !== undefined) latest.set(key, found);
  }
  return Object.fromEntries([...latest].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The latest of `known` and these points, in MLflow's order; of equals the first. */
export function latestOf(points: Points, known: Point | undefined): Point | undefined {
  if (points.length === 0) return known;
  const found = points.latest?.();
  if (found !== undefined) return known === undefined || compareLatest(found, known) > 0 ? found : known;
  const { steps, timestamps, values } = points;
  const [step, timestamp, value] = known ?? pointAt(points, 0);
  const best = { index: known === undefined ? 0 : -1, step, timestamp, rank: rank(toDouble(value)) };
  for (let index = best.index + 1; index < points.length; index++) {
    const [step, timestamp, value] = [steps[index] ?? 0, timestamps[index] ?? 0, values[index] ?? 0];
    const order =
      compareInt64(step, best.step) || compareInt64(timestamp, best.timestamp) || rank(value) - best.rank;
    if (order <= 0) continue;
    best.index = index;
    best.step = step;
    best.timestamp = timestamp;
    best.rank = rank(value);
  }
  return best.index === -1 ? known : pointAt(points, best.index);
}

/**
 * MLflow's order of "latest": step, timestamp, value; NaN counts as 0, and ±Infinity as the greatest double, which a SQL
 * store keeps instead (`sanitize_metric_value`; 2.9.2, 3.1.4). A FileStore takes Python's `max` of the same three: it differs
 * only among points of one step and time, where a NaN that stands first wins, a later one never does, and an infinity is
 * beyond the greatest double. One order for all places, so that a run has the same digest everywhere.
 */
export function compareLatest(a: Point, b: Point): number {
  return compareInt64(a[0], b[0]) || compareInt64(a[1], b[1]) || rank(toDouble(a[2])) - rank(toDouble(b[2]));
}

function rank(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}
