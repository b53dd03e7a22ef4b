import type { Int64 } from '../model/int64.ts';
import type { MetricValue } from '../model/metric-value.ts';
import { RUN_NAME_TAG, SOURCE_NAME_TAG, SOURCE_TYPE_TAG, USER_TAG } from '../model/mlflow/tags.ts';
import type { Point, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { CsvLayout } from './csv-layout-names.ts';

/** What the wide layouts need of a run. */
export type CsvRun = Pick<
  Run,
  | 'run_id'
  | 'run_name'
  | 'user_id'
  | 'status'
  | 'start_time'
  | 'end_time'
  | 'params'
  | 'tags'
  | 'latest_metrics'
>;

/** All keys of the runs, sorted. */
export interface CsvKeys {
  readonly params: readonly string[];
  readonly metrics: readonly string[];
  /** Without those of MLflow itself, as its UI does it. */
  readonly tags: readonly string[];
}

/** One row a run: what stands before the keys, and whether tags follow the metrics. */
interface WideLayout {
  readonly columns: ReadonlyArray<readonly [head: string, cell: (run: CsvRun) => string]>;
  readonly tags: boolean;
}

const tag = (key: string) => (run: CsvRun) => ownValue(run.tags, key) ?? '';

/** Columns of Databricks' "Download CSV". */
const DATABRICKS: WideLayout['columns'] = [
  ['Run ID', ({ run_id }) => run_id],
  ['Name', (run) => run.run_name || tag(RUN_NAME_TAG)(run)],
  ['Source Type', tag(SOURCE_TYPE_TAG)],
  ['Source Name', tag(SOURCE_NAME_TAG)],
  ['User', (run) => ownValue(run.tags, USER_TAG) ?? run.user_id],
  ['Status', ({ status }) => status],
];

/** The wide layouts; `mlflow` is that of the UI (CsvUtils.ts of MLflow 2.13 to 3.17), with its times in UTC. */
export const WIDE_LAYOUTS: Readonly<Record<Exclude<CsvLayout, 'tidy'>, WideLayout>> = {
  databricks: { columns: DATABRICKS, tags: false },
  mlflow: {
    columns: [
      ['Start Time', ({ start_time }) => clockTime(start_time)],
      ['Duration', ({ start_time, end_time }) => duration(start_time, end_time)],
      ...DATABRICKS,
    ],
    tags: true,
  },
};

/** Heads of the layout with one row a point; times are ms since the epoch. */
export const TIDY_HEADS = [
  'experiment_id',
  'experiment_name',
  'run_id',
  'run_name',
  'status',
  'start_time',
  'end_time',
  'metric',
  'step',
  'timestamp',
  'value',
] as const;

/** Guards a text cell against being taken for a formula, or passes it on. */
export type Guard = (text: string) => string;

/** The head row of a wide layout. */
export function wideHeads(layout: WideLayout, keys: CsvKeys, guard: Guard): string[] {
  const own = layout.columns.map(([head]) => head);
  return [...own, ...[...keys.params, ...keys.metrics, ...(layout.tags ? keys.tags : [])].map(guard)];
}

/** The row of a run in a wide layout; what it does not have is empty. */
export function wideRow(layout: WideLayout, keys: CsvKeys, guard: Guard, run: CsvRun): string[] {
  return [
    ...layout.columns.map(([, cell]) => guard(cell(run))),
    ...keys.params.map((key) => guard(ownValue(run.params, key) ?? '')),
    ...keys.metrics.map((key) => {
      const latest = ownValue(run.latest_metrics, key);
      return latest === undefined ? '' : valueText(latest[2]);
    }),
    ...(layout.tags ? keys.tags : []).map((key) => guard(ownValue(run.tags, key) ?? '')),
  ];
}

/** The row of a point. */
export function tidyRow(
  run: Run,
  experiment_name: string,
  metric: string,
  point: Point,
  guard: Guard,
): string[] {
  const [step, timestamp, value] = point;
  return [
    run.experiment_id,
    guard(experiment_name),
    run.run_id,
    guard(run.run_name),
    run.status,
    String(run.start_time ?? ''),
    String(run.end_time ?? ''),
    guard(metric),
    String(step),
    String(timestamp),
    valueText(value),
  ];
}

function valueText(value: MetricValue): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

/** `2024-05-01 13:04:05`, in UTC; a time that no calendar has stays a number. */
function clockTime(time: Int64 | null): string {
  if (time === null) return '(unknown)';
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** `123ms`, `1.5s`, `2.0min`, `3.0h` or `4.0d`; empty while the run goes on. */
function duration(start: Int64 | null, end: Int64 | null): string {
  if (start === null || end === null) return '';
  const ms = Number(end) - Number(start);
  if (ms < 500) return `${ms}ms`;
  if (ms < 60_000) return `${(ms / 1000).toFixed(1)}s`;
  if (ms < 3_600_000) return `${(ms / 60_000).toFixed(1)}min`;
  if (ms < 86_400_000) return `${(ms / 3_600_000).toFixed(1)}h`;
  return `${(ms / 86_400_000).toFixed(1)}d`;
}

/**
 * An apostrophe before what a spreadsheet would take for a formula (OWASP, CSV injection). Numbers stay numbers: `-0.5` is
 * none.
 */
export function excelSafe(text: string): string {
  const suspicious = /^[=+\-@\t\r\n＝＋－＠]/.test(text);
  const isNumber = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text);
  return suspicious && !isNumber ? `'${text}` : text;
}
