import type { MetricValue } from '../model/metric-value.ts';
import { ownValue } from '../util/own-value.ts';
import type { ComparedMetric, ComparedRun, Comparison, MetricChoice } from './comparison.ts';

/** Needs nothing of Node: the page of a comparison uses it too. */

/** What a cell holds; `undefined`: the run has no such value. Times in ms since the epoch, durations in ms. */
export type Cell = string | number | undefined;

/** One value of all runs. */
export interface Row {
  readonly group: 'details' | 'params' | 'metrics' | 'tags';
  readonly name: string;
  readonly form: 'text' | 'number' | 'time' | 'duration';
  /** In the order of the runs. */
  readonly cells: readonly Cell[];
  /** Whether not all runs have the same. */
  readonly differs: boolean;
  /** Positions of the runs that have the best value. */
  readonly best: readonly number[];
  /** Set by MLflow or mlferry itself: of little use beside what people set. */
  readonly own: boolean;
}

const DETAILS: ReadonlyArray<
  readonly [name: string, form: Row['form'], cell: (run: ComparedRun) => Cell | null]
> = [
  ['run_name', 'text', ({ run_name }) => run_name],
  ['experiment', 'text', ({ experiment_name }) => experiment_name],
  ['user', 'text', ({ user_id }) => user_id],
  ['status', 'text', ({ status }) => status],
  ['stage', 'text', ({ lifecycle_stage }) => lifecycle_stage],
  ['start_time', 'time', ({ start_time }) => start_time],
  ['end_time', 'time', ({ end_time }) => end_time],
  ['duration', 'duration', ({ duration }) => duration],
  ['source', 'text', ({ source }) => source],
  ['commit', 'text', ({ commit }) => commit],
  ['run_id', 'text', ({ run_id }) => run_id],
];

/** All rows of a comparison: details, then params, metrics and tags by their keys. */
export function rowsOf({ runs, places, values, best }: Comparison): Row[] {
  const details = [
    ...(places.length > 1 ? [row('details', 'place', 'text', runs, (run) => places[run.place])] : []),
    ...DETAILS.map(([name, form, cell]) => row('details', name, form, runs, (run) => cell(run) ?? undefined)),
  ];
  const params = keysOf(runs, 'params').map((key) =>
    row('params', key, 'text', runs, (run) => ownValue(run.params, key)),
  );
  const metrics = keysOf(runs, 'metrics').flatMap((key) =>
    values.map((choice) => {
      const name = choice === 'last' && values.length === 1 ? key : `${key} (${choice.replace('=', ' ')})`;
      const found = row('metrics', name, 'number', runs, (run) => {
        const metric = ownValue(run.metrics, key);
        const value = metric === undefined ? undefined : chosenValue(metric, choice);
        return value === undefined ? undefined : Number(value);
      });
      return best?.metric === key ? { ...found, best: bestOf(found.cells, best.direction) } : found;
    }),
  );
  const tags = keysOf(runs, 'tags').map((key) => ({
    ...row('tags', key, 'text', runs, (run) => ownValue(run.tags, key)),
    own: /^(mlflow|mlferry)\./.test(key),
  }));
  return [...details, ...params, ...metrics, ...tags];
}

function row(
  group: Row['group'],
  name: string,
  form: Row['form'],
  runs: readonly ComparedRun[],
  cell: (run: ComparedRun) => Cell,
): Row {
  const cells = runs.map((run) => {
    const value = cell(run);
    return value !== undefined && form !== 'text' ? Number(value) : value;
  });
  return {
    group,
    name,
    form,
    cells,
    differs: cells.some((each) => !Object.is(each, cells[0])),
    best: [],
    own: false,
  };
}

function keysOf(runs: readonly ComparedRun[], of: 'params' | 'metrics' | 'tags'): string[] {
  return [...new Set(runs.flatMap((run) => Object.keys(run[of])))].sort();
}

function chosenValue(metric: ComparedMetric, choice: MetricChoice): MetricValue | undefined {
  if (choice === 'last') return metric.last;
  if (choice === 'min') return metric.min;
  if (choice === 'max') return metric.max;
  return metric.at === undefined ? undefined : ownValue(metric.at, choice.slice('step='.length));
}

function bestOf(cells: readonly Cell[], direction: 'ASC' | 'DESC'): number[] {
  const numbers = cells.flatMap((cell) => (typeof cell === 'number' && !Number.isNaN(cell) ? [cell] : []));
  const sign = direction === 'ASC' ? 1 : -1;
  const best = numbers.reduce((a, b) => (sign * b < sign * a ? b : a), sign * Number.POSITIVE_INFINITY);
  return cells.flatMap((cell, index) => (cell === best && numbers.length > 0 ? [index] : []));
}

/** The rows that are shown: without what is the same in all runs, and without MLflow's own tags, unless all are wanted. */
export function shownRows(rows: readonly Row[], all: boolean, runs: number): Row[] {
  return all ? [...rows] : rows.filter(({ differs, own }) => !own && (differs || runs < 2));
}
