import type { Cell, Row } from '../rows.ts';
import { idOf, labelOf } from './dimension.ts';
import { button, element } from './element.ts';
import type { View } from './view.ts';

/** Runs in a table before somebody asks for more. */
const FIRST_ROWS = 100;
const FIRST_COLUMNS = 30;
/** Digits of a number. */
const DIGITS = 6;

let wanted = 0;

/** The table of what is shown: runs as columns, or as rows. */
export function drawTable(view: View, into: HTMLElement): void {
  const { comparison, state } = view;
  const runs = view.runs();
  const rows = view.shown();
  const asRows = state.runsAs === 'rows';
  const few = Math.max(wanted, asRows ? FIRST_ROWS : FIRST_COLUMNS);
  const drawn = runs.slice(0, few);
  const table = element(
    'table',
    {},
    element('caption', {}, captionOf(view)),
    ...(asRows ? runsAsRows(view, rows, drawn) : runsAsColumns(view, rows, drawn)),
  );
  const scroll = element(
    'div',
    { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Table of runs' },
    table,
  );
  const more = runs.length - drawn.length;
  const foot =
    more === 0
      ? []
      : [
          button(`Show ${Math.min(more, few)} more of ${more}`, () => {
            wanted = few * 2;
            drawTable(view, into);
          }),
        ];
  into.replaceChildren(scroll, ...foot);
  into.dataset.runs = String(runs.length);
  if (comparison.runs.length === 0) into.replaceChildren(element('p', {}, 'There are no runs.'));
}

function captionOf(view: View): string {
  const { comparison, state, rows } = view;
  const all = comparison.runs.length;
  const runs = view.runs().length;
  const hidden = rows.length - view.shown().length;
  const which = runs === all ? `${all} runs` : `${runs} of ${all} runs`;
  return state.all || hidden === 0 ? which : `${which}; ${hidden} rows that are the same in all are hidden`;
}

function sortButton(view: View, row: Row): HTMLButtonElement {
  const { sort, descending } = view.state;
  const id = idOf(row);
  const isSorted = sort === id;
  const made = button(labelOf(row), () =>
    view.change(
      isSorted && descending ? { sort: '', descending: false } : { sort: id, descending: isSorted },
    ),
  );
  made.className = 'sort';
  made.dataset.sort = isSorted ? (descending ? 'down' : 'up') : '';
  made.title = 'Sort the runs by it';
  return made;
}

const ariaSort = ({ state }: View, row: Row) =>
  state.sort !== idOf(row) ? 'none' : state.descending ? 'descending' : 'ascending';

const differing = (view: View, row: Row) => view.state.all && row.differs && view.comparison.runs.length > 1;

function runsAsColumns(view: View, rows: readonly Row[], runs: readonly number[]): HTMLElement[] {
  const name = (run: number) => view.comparison.runs[run]?.run_name ?? '';
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'run'),
    ...runs.map((run) => element('th', { scope: 'col' }, name(run))),
  );
  const body = rows.map((row) => {
    const usual = usualOf(row, runs);
    return element(
      'tr',
      { class: differing(view, row) ? 'differs' : undefined },
      element('th', { scope: 'row' }, sortButton(view, row)),
      ...runs.map((run) => cellOf(view, row, run, row.differs && String(row.cells[run]) !== usual)),
    );
  });
  return [element('thead', {}, head), element('tbody', {}, ...body)];
}

function runsAsRows(view: View, rows: readonly Row[], runs: readonly number[]): HTMLElement[] {
  const head = element(
    'tr',
    {},
    element('th', { scope: 'col' }, 'run'),
    ...rows.map((row) =>
      element(
        'th',
        {
          scope: 'col',
          'aria-sort': ariaSort(view, row),
          class: differing(view, row) ? 'differs' : undefined,
        },
        sortButton(view, row),
      ),
    ),
  );
  const body = runs.map((run) =>
    element(
      'tr',
      {},
      element('th', { scope: 'row' }, view.comparison.runs[run]?.run_name ?? ''),
      ...rows.map((row) => cellOf(view, row, run, false)),
    ),
  );
  return [element('thead', {}, head), element('tbody', {}, ...body)];
}

/** What most runs have, where that is something. */
function usualOf({ cells }: Row, runs: readonly number[]): string {
  const counts = new Map<string, number>();
  for (const run of runs) counts.set(String(cells[run]), (counts.get(String(cells[run])) ?? 0) + 1);
  const [usual, next] = [...counts].sort(([, a], [, b]) => b - a);
  return usual === undefined || usual[1] === (next?.[1] ?? 0) ? '' : usual[0];
}

function cellOf(view: View, row: Row, run: number, isUnusual: boolean): HTMLTableCellElement {
  const cell = row.cells[run];
  const { link } = view.comparison.runs[run] ?? {};
  const text = cellText(cell, row);
  const isLink =
    row.name === 'commit' && row.group === 'details' && link !== undefined && /^https?:\/\//.test(link);
  const isBest = row.best.includes(run);
  const made = element(
    'td',
    {
      class:
        [typeof cell === 'number' ? 'number' : '', isUnusual ? 'unusual' : '', isBest ? 'best' : '']
          .filter((name) => name !== '')
          .join(' ') || undefined,
    },
    isLink ? element('a', { href: link, rel: 'noreferrer', target: '_blank' }, text) : text,
  );
  if (isBest) made.append(element('span', {}, ' best'));
  return made;
}

/** A value for people. */
export function cellText(cell: Cell, { form }: Pick<Row, 'form'>): string {
  if (cell === undefined) return '';
  if (typeof cell === 'string') return cell;
  const date = new Date(cell);
  if (form === 'time' && !Number.isNaN(date.getTime()))
    return date.toISOString().slice(0, 19).replace('T', ' ');
  if (form === 'duration') return cell < 1000 ? `${cell} ms` : `${Number((cell / 1000).toPrecision(4))} s`;
  return Number.isInteger(cell) ? String(cell) : String(Number(cell.toPrecision(DIGITS)));
}
