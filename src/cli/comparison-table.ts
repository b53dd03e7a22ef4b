import type { ComparedRun } from '../compare/comparison.ts';
import type { Cell, Row } from '../compare/rows.ts';
import { redact } from '../util/redact.ts';
import { formatDuration } from './format.ts';
import { timeText } from './time-text.ts';

/** Digits of a metric, for people. */
const DIGITS = 6;
/** Before what differs where all is shown, and behind a best value. */
const DIFFERS = '≠ ';
const BEST = ' *';

/**
 * The rows of a comparison as the cells of a table, runs as columns or as rows. For people numbers are short, the best value of a
 * metric has a `*` and, where what is the same is shown too, what differs a `≠`.
 */
export function comparisonTable(
  rows: readonly Row[],
  runs: readonly ComparedRun[],
  { asColumns, all, forPeople }: { asColumns: boolean; all: boolean; forPeople: boolean },
): string[][] {
  const head = ({ group, name, differs }: Row) => {
    const full = group === 'details' ? name : `${group}.${name}`;
    return forPeople && all && runs.length > 1 ? `${differs ? DIFFERS : '  '}${full}` : full;
  };
  const body = rows.map((row) => [
    head(row),
    ...row.cells.map(
      (cell, run) => `${cellText(cell, row, forPeople)}${forPeople && row.best.includes(run) ? BEST : ''}`,
    ),
  ]);
  const heads = ['', ...runs.map(({ run_name, run_id }) => (forPeople ? run_name : run_id))];
  // As columns the names are the head already.
  if (asColumns) return [heads, ...body.filter((_, index) => !forPeople || !isName(rows[index]))];
  return transposed(body);
}

const isName = (row: Row | undefined) => row?.group === 'details' && row.name === 'run_name';

function transposed(body: readonly string[][]): string[][] {
  const [first = []] = body;
  return first.map((_, column) => body.map((row) => row[column] ?? ''));
}

function cellText(cell: Cell, { form }: Row, forPeople: boolean): string {
  if (cell === undefined) return '';
  if (typeof cell === 'string') return forPeople ? redact(cell) : cell;
  if (!forPeople) return Object.is(cell, -0) ? '-0' : String(cell);
  if (form === 'time') return timeText(cell);
  if (form === 'duration') return cell < 1000 ? `${cell} ms` : formatDuration(cell / 1000);
  return Number.isInteger(cell) || !Number.isFinite(cell)
    ? String(cell)
    : String(Number(cell.toPrecision(DIGITS)));
}
