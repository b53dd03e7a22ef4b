import type { Run } from '../model/records.ts';
import type { Order, Subject } from './expression.ts';
import { runValues } from './subject-values.ts';

type SortValue = number | bigint | string | undefined;

const BY_START: Order = { subject: { entity: 'attribute', key: 'start_time' }, direction: 'DESC' };

/**
 * A comparator of runs with the order of MLflow's SQL store (3.17.2, SQLite): by each column in turn, NaN after all
 * numbers and missing values last whatever the direction, texts by code point; then the latest start first, then
 * by run id.
 */
export function compareRuns(orders: readonly Order[]): (a: Run, b: Run) => number {
  const columns = orders.some(({ subject }) => isAttribute(subject, 'start_time'))
    ? orders
    : [...orders, BY_START];
  return (a, b) => {
    for (const { subject, direction } of columns) {
      const left = sortValue(subject, a);
      const right = sortValue(subject, b);
      const difference = rank(left) - rank(right) || compareValues(left, right, direction);
      if (difference !== 0) return difference;
    }
    return compareTexts(a.run_id, b.run_id);
  };
}

function sortValue(subject: Subject, run: Run): SortValue {
  // Searched by its tag, but ordered by its own column.
  if (isAttribute(subject, 'run_name')) return run.run_name;
  return runValues(subject, run, () => undefined)[0];
}

/** Values, then NaN, then nothing. */
function rank(value: SortValue): number {
  if (value === undefined) return 2;
  return Number.isNaN(value) ? 1 : 0;
}

function compareValues(a: SortValue, b: SortValue, direction: Order['direction']): number {
  const isText = typeof a === 'string' && typeof b === 'string';
  const ascending = isText ? compareTexts(a, b) : compareNumbers(a ?? 0, b ?? 0);
  return direction === 'ASC' ? ascending : -ascending;
}

function compareNumbers(a: number | bigint | string, b: number | bigint | string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** By code point, which is the order of UTF-8 bytes and of SQLite. */
function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isAttribute(subject: Subject, key: string): boolean {
  return subject.entity === 'attribute' && subject.key === key;
}
