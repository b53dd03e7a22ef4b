import { compareInt64, toInt64 } from '../../../model/int64.ts';
import type { MetricValue } from '../../../model/metric-value.ts';
import type { Point } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';

const INTEGER = /^-?\d{1,400}$/;

/** A point of a history answer; `run_id` stands only in those of get-history-bulk. */
export interface RunPoint {
  readonly run_id: string | undefined;
  readonly point: Point;
}

/**
 * A metric of a history answer, checked by hand because there can be millions. Unset numbers count as 0, protobuf's
 * default. Throws NOT_MLFLOW.
 */
export function parseMetric(item: unknown): RunPoint {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) throw notAMetric(item);
  const step = integer('step' in item ? item.step : 0);
  const timestamp = integer('timestamp' in item ? item.timestamp : 0);
  const value = toMetricValue('value' in item ? item.value : 0);
  const run_id = 'run_id' in item && typeof item.run_id === 'string' ? item.run_id : undefined;
  if (step === undefined || timestamp === undefined || value === undefined) throw notAMetric(item);
  return { run_id, point: [step, timestamp, value] };
}

function integer(value: unknown) {
  return typeof value === 'number' || typeof value === 'string' ? toInt64(value) : undefined;
}

/** The metric value in an answer; a double that is written as an integer beyond 2^53 comes as text from fromServerJson. */
function toMetricValue(value: unknown): MetricValue | undefined {
  if (typeof value === 'number' || value === 'NaN' || value === 'Infinity' || value === '-Infinity')
    return value;
  return typeof value === 'string' && INTEGER.test(value) ? Number(value) : undefined;
}

function notAMetric(item: unknown): MlferryError {
  return new MlferryError(
    'NOT_MLFLOW',
    `A metric history holds what is no metric: ${JSON.stringify(item)?.slice(0, 200)}`,
  );
}

/** Order of (timestamp, step, value), NaN counting as 0: the order in which MLflow's SQL stores answer. */
export function compareByTime(a: Point, b: Point): number {
  return compareInt64(a[1], b[1]) || compareInt64(a[0], b[0]) || rank(a[2]) - rank(b[2]);
}

function rank(value: MetricValue): number {
  if (typeof value === 'number') return value;
  return value === 'NaN' ? 0 : value === 'Infinity' ? Number.MAX_VALUE : -Number.MAX_VALUE;
}

/** Whether two points are the same logged value; -0 and 0 are. */
export function isSamePoint(a: Point, b: Point): boolean {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2];
}
