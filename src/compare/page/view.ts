import type { Comparison } from '../comparison.ts';
import { type Cell, type Row, rowsOf, shownRows } from '../rows.ts';
import { type Dimension, dimensionOf, idOf, labelOf } from './dimension.ts';
import type { State } from './state.ts';

/** What the parts of the page share: the comparison, what is chosen, and what follows from both. */
export interface View {
  readonly comparison: Comparison;
  readonly rows: readonly Row[];
  readonly dimensions: ReadonlyMap<string, Dimension>;
  readonly state: State;
  /** Changes what is chosen, and draws what depends on it. */
  change(changes: Partial<State>): void;
  /** Positions of the runs that are neither filtered out nor brushed away, in the order that is chosen. */
  runs(): readonly number[];
  /** The rows that are shown. */
  shown(): readonly Row[];
}

/** Details that stand behind params and metrics: there is seldom room for them. */
const isLast = ({ group, name }: Row) =>
  group === 'details' && ['start_time', 'end_time', 'stage', 'source', 'commit', 'run_id'].includes(name);

/** Every text of a run, to be searched in. */
function textsOf(rows: readonly Row[], runs: number): string[] {
  const texts = rows.filter(({ form }) => form === 'text');
  return Array.from({ length: runs }, (_, run) =>
    texts
      .map(({ cells }) => cells[run] ?? '')
      .join('\n')
      .toLowerCase(),
  );
}

/** Axes that can be chosen: the rows of which a plot can tell something. */
function isDimension({ group, name, own }: Row): boolean {
  if (group === 'details') return !['run_id', 'run_name', 'source', 'stage', 'end_time'].includes(name);
  return !own;
}

/** The view of a comparison, and what is chosen at first. */
export function createView(comparison: Comparison, changed: () => void) {
  const rows = rowsOf(comparison);
  const dimensions = new Map(rows.filter(isDimension).map((row) => [idOf(row), dimensionOf(row)]));
  const count = comparison.runs.length;
  const texts = textsOf(rows, count);
  const first = firstState(comparison, [...dimensions.values()]);
  const byId = new Map(rows.map((row) => [idOf(row), row]));
  let state = first;
  let chosen: readonly number[] | undefined;
  const view = {
    comparison,
    rows,
    dimensions,
    first,
    get state() {
      return state;
    },
    set(next: State) {
      state = next;
      chosen = undefined;
    },
    change(changes: Partial<State>) {
      view.set({ ...state, ...changes });
      changed();
    },
    runs() {
      chosen ??= chosenRuns(state);
      return chosen;
    },
    shown() {
      const wanted = state.namesContaining.toLowerCase();
      // The names of runs are the heads of the table.
      return shownRows(rows, state.all, count)
        .filter((row) => idOf(row) !== 'details.run_name' && labelOf(row).toLowerCase().includes(wanted))
        .toSorted((a, b) => Number(isLast(a)) - Number(isLast(b)));
    },
  };
  function chosenRuns({ runsContaining, ranges, sort, descending }: State): number[] {
    const wanted = runsContaining.toLowerCase();
    const brushed = Object.entries(ranges).flatMap(([id, own]) => {
      const dimension = dimensions.get(id);
      return dimension === undefined || own.length === 0 ? [] : [{ values: dimension.values, own }];
    });
    const found = comparison.runs.flatMap((_, run) => {
      const fits = brushed.every(({ values, own }) => {
        const value = values[run] ?? Number.NaN;
        return own.some(([from, to]) => value >= from && value <= to);
      });
      return fits && (texts[run] ?? '').includes(wanted) ? [run] : [];
    });
    const row = byId.get(sort);
    if (row === undefined) return found;
    return found.toSorted((a, b) => compareCells(row.cells[a], row.cells[b], descending) || a - b);
  }
  return view;
}

/** Numbers before texts; what is missing or NaN last, whatever the direction. */
function compareCells(a: Cell, b: Cell, descending: boolean): number {
  const [x, y] = [sortable(a), sortable(b)];
  if (x === undefined || y === undefined) return Number(x === undefined) - Number(y === undefined);
  const order =
    typeof x === typeof y
      ? x < y
        ? -1
        : x > y
          ? 1
          : 0
      : Number(typeof x === 'string') - Number(typeof y === 'string');
  return descending ? -order : order;
}

function sortable(cell: Cell): string | number | undefined {
  if (cell === undefined || cell === '') return undefined;
  const number = Number(cell);
  if (!Number.isNaN(number)) return number;
  return typeof cell === 'string' ? cell : undefined;
}

/** Axes of the parallel coordinates at first: so many params, then metrics. */
const FIRST_PARAMS = 5;
const FIRST_METRICS = 3;
/** More texts than this are no axis. */
const MOST_TEXTS = 40;
/** More runs than this stand below each other. */
const MOST_COLUMNS = 8;

function firstState({ runs, best, histories }: Comparison, dimensions: readonly Dimension[]): State {
  const useful = dimensions
    .filter(({ row, texts }) => row.differs && (texts === undefined || texts.length <= MOST_TEXTS))
    .toSorted((a, b) => coverage([b]) - coverage([a]));
  const of = (group: Row['group']) => useful.filter(({ row }) => row.group === group);
  const metrics = of('metrics').toSorted(
    (a, b) => Number(isBest(b, best?.metric)) - Number(isBest(a, best?.metric)),
  );
  const metric = metrics[0] ?? dimensions.find(({ row }) => row.group === 'metrics');
  // Only such axes as most runs have that have the metric.
  const base = metric === undefined ? [] : [metric];
  const fits = (dimension: Dimension) => coverage([...base, dimension]) * 2 > coverage(base);
  const params = of('params')
    .filter(fits)
    .toSorted((a, b) => Number(a.texts !== undefined) - Number(b.texts !== undefined));
  const others = metrics.filter(fits);
  const all = [...params, ...others, ...of('details')];
  const [any = ''] = dimensions.map(({ id }) => id);
  const id = (dimension: Dimension | undefined) => dimension?.id ?? all[0]?.id ?? any;
  const keys = [...new Set(histories.filter(({ count }) => count > 1).map(({ key }) => key))];
  const few = [...of('details'), ...params, ...of('tags')].find(({ row }) => {
    const distinct = new Set(row.cells).size;
    return row.form === 'text' && distinct > 1 && distinct <= Math.max(2, runs.length / 2) && distinct <= 12;
  });
  return {
    all: false,
    runsAs: runs.length > MOST_COLUMNS ? 'rows' : 'columns',
    runsContaining: '',
    namesContaining: '',
    sort: '',
    descending: false,
    theme: 'system',
    axes: [...params.slice(0, FIRST_PARAMS), ...others.slice(0, FIRST_METRICS)].map((each) => each.id),
    color: id(metric),
    ranges: {},
    x: id(params[0]),
    y: id(metric),
    contourX: id(params[0]),
    contourY: id(params[1] ?? others[1]),
    contourZ: id(metric),
    keys: keys.filter((key) => !key.startsWith('system/')).slice(0, 1),
    over: 'step',
    smoothing: 0,
    log: false,
    boxOf: id(metric),
    groupBy: few?.id ?? any,
  };
}

/** How many runs have a value on all of these axes. */
function coverage(dimensions: readonly Dimension[]): number {
  const [first] = dimensions;
  return (first?.values ?? []).filter((_, run) =>
    dimensions.every(({ values }) => Number.isFinite(values[run])),
  ).length;
}

const isBest = ({ row }: Dimension, metric: string | undefined) =>
  metric !== undefined && (row.name === metric || row.name.startsWith(`${metric} (`));
