import { compareInt64, type Int64, toInt64 } from '../../../model/int64.ts';
import { buildPoints, type Points } from '../../../model/points.ts';
import type { Point } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';

const INTEGER = /^-?\d{1,400}$/;

/** A point of a history answer; `run_id` stands only in those of get-history-bulk. */
export interface RunPoint {
  readonly run_id: string | undefined;
  readonly step: Int64;
  readonly timestamp: Int64;
  readonly value: number;
}

/**
 * A metric of a history answer, checked by hand because there can be millions. Unset numbers count as 0, protobuf's
 * default. Throws NOT_MLFLOW.
 */
export function parseMetric(item: unknown): RunPoint {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw notAMetric(item);
  const step = integer('step' in item ? item.step : 0);
  const timestamp = integer('timestamp' in item ? item.timestamp : 0);
  const value = toMetricDouble('value' in item ? item.value : 0);
  const run_id = 'run_id' in item && typeof item.run_id === 'string' ? item.run_id : undefined;
  if (step === undefined || timestamp === undefined || value === undefined) throw notAMetric(item);
  return { run_id, step, timestamp, value };
}

function integer(value: unknown) {
  return typeof value === 'number' || typeof value === 'string' ? toInt64(value) : undefined;
}

/** The metric value in an answer; a double that is written as an integer beyond 2^53 comes as text from fromServerJson. */
function toMetricDouble(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return Number(value);
  return typeof value === 'string' && INTEGER.test(value) ? Number(value) : undefined;
}

function notAMetric(item: unknown): MlferryError {
  return new MlferryError(
    'NOT_MLFLOW',
    `A metric history holds what is no metric: ${JSON.stringify(item)?.slice(0, 200)}`,
  );
}

/** In the order of (timestamp, step, value), NaN counting as 0: that in which MLflow's SQL stores answer. */
export function sortedByTime(points: Points): Points {
  const { steps, timestamps, values } = points;
  const compare = (a: number, b: number) =>
    compareInt64(timestamps[a] ?? 0, timestamps[b] ?? 0) ||
    compareInt64(steps[a] ?? 0, steps[b] ?? 0) ||
    rank(values[a] ?? 0) - rank(values[b] ?? 0);
  const order = Array.from(values.keys());
  if (order.every((index) => index === 0 || compare(index - 1, index) <= 0)) return points;
  order.sort(compare);
  const sorted = buildPoints();
  for (const index of order) sorted.push(steps[index] ?? 0, timestamps[index] ?? 0, values[index] ?? 0);
  return sorted;
}

function rank(value: number): number {
  if (Number.isNaN(value)) return 0;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}

/** Whether two points are the same logged value; -0 and 0 are. */
export function isSamePoint(a: Point, b: Point): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}
