import type { Order } from './expression.ts';

/** One value that something is sorted by; `undefined` where it has none. */
export type SortValue = number | bigint | string | undefined;

/**
 * A comparator of rows of values, a column each, with an id behind them, as MLflow's SQL store (3.17.2, SQLite) sorts: by each
 * column in turn, NaN after all numbers and missing values last whatever the direction, texts by code point; then by the id.
 */
export function compareSortValues(
  columns: readonly Pick<Order, 'direction'>[],
): (a: readonly SortValue[], b: readonly SortValue[]) => number {
  return (a, b) => {
    for (const [index, { direction }] of columns.entries()) {
      const [left, right] = [a[index], b[index]];
      const difference = rank(left) - rank(right) || compareValues(left, right, direction);
      if (difference !== 0) return difference;
    }
    return compareTexts(String(a[columns.length]), String(b[columns.length]));
  };
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
  return a === b ? 0 : Buffer.compare(Buffer.from(a), Buffer.from(b));
}
