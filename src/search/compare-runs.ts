import type { Run } from '../model/records.ts';
import { compareSortValues, type SortValue } from './compare-sort-values.ts';
import type { Order, Subject } from './expression.ts';
import { runValues } from './subject-values.ts';

const BY_START: Order = { subject: { entity: 'attribute', key: 'start_time' }, direction: 'DESC' };

/**
 * A comparator of runs with the order of MLflow's SQL store (3.17.2, SQLite): by each column in turn, then the latest start
 * first, then by run id.
 */
export function compareRuns(orders: readonly Order[]): (a: Run, b: Run) => number {
  const columns = runColumns(orders);
  const compare = compareSortValues(columns);
  return (a, b) => compare(sortValuesOfRun(columns, a), sortValuesOfRun(columns, b));
}

/** The columns that runs are sorted by: where the start is not among them it is the last. */
export function runColumns(orders: readonly Order[]): readonly Order[] {
  return orders.some(({ subject }) => isAttribute(subject, 'start_time')) ? orders : [...orders, BY_START];
}

/** What a run is sorted by: its values in these columns, and its id. */
export function sortValuesOfRun(columns: readonly Order[], run: Run): SortValue[] {
  return [...columns.map(({ subject }) => sortValue(subject, run)), run.run_id];
}

function sortValue(subject: Subject, run: Run): SortValue {
  // Searched by its tag, but ordered by its own column.
  if (isAttribute(subject, 'run_name')) return run.run_name;
  return runValues(subject, run, () => undefined)[0];
}

function isAttribute(subject: Subject, key: string): boolean {
  return subject.entity === 'attribute' && subject.key === key;
}
