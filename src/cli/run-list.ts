import { z } from 'zod';
import { listRuns } from '../manage/list-runs.ts';
import type { ListedRun } from '../manage/sorted-runs.ts';
import type { Failure } from '../model/findings.ts';
import { toJson } from '../model/json.ts';
import { ownValue } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { printable } from '../util/plain-text.ts';
import { endWithFailures } from './end-with-failures.ts';
import { formatCount } from './format.ts';
import type { Io } from './io.ts';
import { choiceOf, placeOf } from './manage-values.ts';
import { RUN_FIELDS, type RunField } from './run-fields.ts';
import { type TablePrinter, tablePrinter } from './table.ts';
import { relativeTime, timeText } from './time-text.ts';

type Cell = string | number | null | undefined;

const FIELDS: Readonly<Record<RunField, (run: ListedRun) => Cell>> = {
  run_id: ({ run_id }) => run_id,
  run_name: ({ run_name }) => run_name,
  experiment_id: ({ experiment_id }) => experiment_id,
  experiment_name: ({ experiment_name }) => experiment_name,
  user_id: ({ user_id }) => user_id,
  status: ({ status }) => status,
  lifecycle_stage: ({ lifecycle_stage }) => lifecycle_stage,
  start_time: ({ start_time }) => start_time,
  end_time: ({ end_time }) => end_time,
  deleted_time: ({ deleted_time }) => deleted_time,
  artifact_uri: ({ artifact_uri }) => artifact_uri,
};
const DEFAULT_COLUMNS = ['run_id', 'run_name', 'experiment_name', 'status', 'start_time', 'end_time'];
/** Metrics that are shown where no columns are named: those of most of the first runs. */
const MOST_METRICS = 4;
/** Runs that are looked at for them. */
const LOOKED_AT = 100;
/** Keys of runs that are kept to find the nearest one among. */
const MOST_KEYS = 10_000;
/** Digits of a run id on a terminal: few enough to read, enough to be told from some million others. */
const ID_DIGITS = 12;
const RUN_ID = /^[0-9a-f]{32}$/;
/** Cells that a column needs, with its gap, to be of use. */
const READABLE = 10;
/** Of a metric, on a terminal. */
const DIGITS = 6;

const listOptions = z.object({
  columns: z.string().optional(),
  view: z.string(),
  limit: z.number().optional(),
  wide: z.boolean().default(false),
  relative: z.boolean().default(false),
  json: z.boolean().default(false),
  ndjson: z.boolean().default(false),
});
type ListValues = z.infer<typeof listOptions>;

/** What `mlferry runs list` does. */
export async function runList(place: string, values: unknown, io: Io): Promise<void> {
  const list = listOptions.parse(values);
  if (list.json && list.ndjson) throw new MlferryError('USAGE', '--json and --ndjson exclude each other');
  const columns = list.columns?.split(',').map((name) => column(name.trim()));
  const options = { ...choiceOf(values), ...placeOf(values, io), stdin: io.stdin };
  const printer = list.json || list.ndjson ? jsonPrinter(list, columns, io) : runTable(list, columns, io);
  const empty = emptyColumns(columns ?? []);
  let count = 0;
  let left = 0;
  let failures: readonly Failure[];
  try {
    failures = await listRuns(place, options, async (run) => {
      if (list.limit !== undefined && count >= list.limit) left += 1;
      else {
        count += 1;
        empty.look(run);
        printer.add(run);
      }
    });
  } catch (error) {
    // The failure is told behind what there is.
    if (count > 0) printer.end();
    throw error;
  }
  printer.end();
  if (!list.json && !list.ndjson && count === 0) io.stderr.write('(0 runs)\n');
  if (count > 0) for (const note of empty.notes()) io.stderr.write(`${note}\n`);
  if (left > 0) io.stderr.write(`(${formatCount(left)} more: --limit ${list.limit})\n`);
  endWithFailures(failures, io);
}

interface RunPrinter {
  add(run: ListedRun): void;
  end(): void;
}

function jsonPrinter({ ndjson }: ListValues, columns: readonly Column[] | undefined, io: Io): RunPrinter {
  let count = 0;
  return {
    add(run) {
      const object =
        columns === undefined
          ? run
          : Object.fromEntries(columns.map(({ name, value }) => [name, value(run) ?? null]));
      const start = ndjson ? '' : count === 0 ? '[\n' : ',\n';
      count += 1;
      io.stdout.write(`${start}${toJson(object)}${ndjson ? '\n' : ''}`);
    },
    end() {
      if (!ndjson) io.stdout.write(count === 0 ? '[]\n' : '\n]\n');
    },
  };
}

/** A table as wide as the terminal. Without named columns the metrics that most of the first runs have are shown, too. */
function runTable(list: ListValues, columns: readonly Column[] | undefined, io: Io): RunPrinter {
  const isTerminal = io.stdout.isTTY === true && !list.wide;
  const width = isTerminal ? (io.stdout.columns ?? 80) : undefined;
  const cell = ({ name, value }: Column, run: ListedRun) => {
    const found = value(run);
    if (found === undefined || found === null) return '';
    if (name === 'run_id' && isTerminal && RUN_ID.test(String(found)))
      return String(found).slice(0, ID_DIGITS);
    if (typeof found === 'number' && name.startsWith('metrics.') && isTerminal)
      return String(Number(found.toPrecision(DIGITS)));
    if (!name.endsWith('_time')) return printable(String(found));
    return list.relative ? relativeTime(Number(found), Date.now()) : timeText(found);
  };
  let waiting: ListedRun[] = [];
  let begun: { shown: readonly Column[]; table: TablePrinter } | undefined;
  const begin = () => {
    if (begun !== undefined) return begun;
    const stage = list.view === 'active' ? [] : ['lifecycle_stage'];
    const all = [...DEFAULT_COLUMNS, ...stage, ...commonMetrics(waiting)];
    // A terminal has no room for everything: when a run ended is what most can do without.
    const fit =
      width === undefined
        ? all
        : all.filter((name) => name !== 'end_time').slice(0, (width - ID_DIGITS) / READABLE + 1);
    const shown = columns ?? fit.map(column);
    const table = tablePrinter(
      (text) => io.stdout.write(text),
      shown.map(({ name }) => name),
      width,
      'run_id',
    );
    begun = { shown, table };
    for (const run of waiting) table.add(shown.map((of) => cell(of, run)));
    waiting = [];
    return begun;
  };
  return {
    add(run) {
      if (begun === undefined) {
        waiting.push(run);
        if (waiting.length === LOOKED_AT) begin();
      } else begun.table.add(begun.shown.map((of) => cell(of, run)));
    },
    end: () => begin().table.end(),
  };
}

/** Columns of the metrics that most of these runs have, by name where as many have them; system metrics last. */
function commonMetrics(runs: readonly ListedRun[]): string[] {
  const counts = new Map<string, number>();
  for (const { latest_metrics } of runs)
    for (const key of Object.keys(latest_metrics)) counts.set(key, (counts.get(key) ?? 0) + 1);
  const isSystem = (key: string) => Number(key.startsWith('system/'));
  return [...counts]
    .sort(([a, x], [b, y]) => isSystem(a) - isSystem(b) || y - x || (a < b ? -1 : 1))
    .slice(0, MOST_METRICS)
    .map(([key]) => `metrics.${key}`);
}

/** Notes on named columns of params, metrics and tags that no run has, each with the nearest that one has. */
function emptyColumns(columns: readonly Column[]) {
  const empty = new Map(
    columns.flatMap((column) =>
      /^(params|metrics|tags)\./.test(column.name) ? [[column.name, column]] : [],
    ),
  );
  const known = new Set<string>();
  return {
    look(run: ListedRun): void {
      for (const [name, { value }] of empty) if (value(run) !== undefined) empty.delete(name);
      if (empty.size === 0 || known.size > MOST_KEYS) return;
      for (const key of Object.keys(run.params)) known.add(`params.${key}`);
      for (const key of Object.keys(run.latest_metrics)) known.add(`metrics.${key}`);
      for (const key of Object.keys(run.tags)) known.add(`tags.${key}`);
    },
    notes(): string[] {
      return [...empty.keys()].map((name) => {
        const near = nearest(name, [...known]);
        return printable(`No run listed has ${name}${near === undefined ? '' : `; did you mean ${near}?`}`);
      });
    },
  };
}

interface Column {
  readonly name: string;
  readonly value: (run: ListedRun) => Cell;
}

/** A column by its name. Throws USAGE for one that is not known. */
function column(name: string): Column {
  const field = ownValue(FIELDS, name);
  if (field !== undefined) return { name, value: field };
  const [, kind, key = ''] = /^(params|metrics|tags)\.(.+)$/s.exec(name) ?? [];
  if (kind === 'params') return { name, value: (run) => ownValue(run.params, key) };
  if (kind === 'tags') return { name, value: (run) => ownValue(run.tags, key) };
  if (kind === 'metrics') return { name, value: (run) => ownValue(run.latest_metrics, key)?.[2] };
  const near = nearest(name, [...RUN_FIELDS, 'params.', 'metrics.', 'tags.']);
  throw new MlferryError('USAGE', `There is no column "${name}"`, {
    hint: `${near === undefined ? '' : `Did you mean ${near}? `}Columns are ${RUN_FIELDS.join(', ')}, params.KEY, metrics.KEY and tags.KEY; see mlferry runs list --help.`,
  });
}
