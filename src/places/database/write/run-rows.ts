import { toDouble } from '../../../model/metric-value.ts';
import { forEachPoint, type Points } from '../../../model/points.ts';
import type { Point, Run } from '../../../model/records.ts';
import type { Cell, InsertedTable } from '../connect/database.ts';

/** Rows of a run as MLflow writes them (mlflow/store/tracking/sqlalchemy_store.py). */

/** `metrics` */
export const METRICS: InsertedTable = {
  table: 'metrics',
  columns: ['key', 'value', 'timestamp', 'run_uuid', 'step', 'is_nan'],
  key: ['key', 'timestamp', 'step', 'run_uuid', 'value', 'is_nan'],
};

/** `latest_metrics` */
export const LATEST: InsertedTable = {
  table: 'latest_metrics',
  columns: ['key', 'value', 'timestamp', 'step', 'is_nan', 'run_uuid'],
  key: ['key', 'run_uuid'],
};

/** `params` and `tags`. */
export const textsOf = (table: 'params' | 'tags'): InsertedTable => ({
  table,
  columns: ['key', 'value', 'run_uuid'],
  key: ['key', 'run_uuid'],
});

/** A value as the store keeps it: NaN is 0 and marked so, ±Infinity the greatest double. */
function stored(value: number): readonly [value: number, is_nan: boolean] {
  if (Number.isNaN(value)) return [0, true];
  return [Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)), false];
}

/** Rows of {@link METRICS}. */
export function pointRows(run_id: string, key: string, points: Points): Cell[][] {
  const rows: Cell[][] = [];
  forEachPoint(points, (step, timestamp, value) => {
    const [kept, is_nan] = stored(value);
    rows.push([key, kept, timestamp, run_id, step, is_nan]);
  });
  return rows;
}

/** A row of {@link LATEST}. */
export function latestRow(run_id: string, key: string, [step, timestamp, value]: Point): Cell[] {
  const [kept, is_nan] = stored(toDouble(value));
  return [key, kept, timestamp, step, is_nan, run_id];
}

/** What of a run's own row a copy may change: what MLflow lets change, and what only the store's own hands can. */
export function runCells(run: Run): ReadonlyArray<readonly [column: string, cell: Cell]> {
  const isDeleted = run.lifecycle_stage === 'deleted';
  return [
    ['name', run.run_name],
    ['user_id', run.user_id],
    ['status', run.status],
    ['start_time', run.start_time],
    ['end_time', run.end_time],
    ['lifecycle_stage', run.lifecycle_stage],
    ['deleted_time', isDeleted ? (run.deleted_time ?? null) : null],
  ];
}

/** The row of a new run. Where it came from stands in tags; MLflow fills these columns like this. */
export function newRunCells(run: Run): ReadonlyArray<readonly [column: string, cell: Cell]> {
  return [
    ['run_uuid', run.run_id],
    ['experiment_id', run.experiment_id],
    ['artifact_uri', run.artifact_uri],
    ['source_type', 'UNKNOWN'],
    ['source_name', ''],
    ['entry_point_name', ''],
    ['source_version', ''],
    ...runCells(run),
  ];
}
