import { failureOf, type Ledger } from '../job/ledger.ts';
import { durationOf } from '../look/duration.ts';
import { sourceOf } from '../look/run-source.ts';
import { createSeriesSummary } from '../look/series-summary.ts';
import { announced } from '../manage/announced-runs.ts';
import { type ChosenRun, chosenRuns } from '../manage/chosen-runs.ts';
import { type ListOptions, readPlace } from '../manage/list-runs.ts';
import type { Failure } from '../model/findings.ts';
import { compareInt64 } from '../model/int64.ts';
import { fromDouble, type MetricValue } from '../model/metric-value.ts';
import { forEachPoint } from '../model/points.ts';
import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import { selectionAt } from '../places/open.ts';
import type { Reader } from '../places/place.ts';
import { compareRuns } from '../search/compare-runs.ts';
import { searchOf } from '../search/search-of.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import { redactUri } from '../util/redact.ts';
import type {
  BestOf,
  ComparedHistory,
  ComparedMetric,
  ComparedRun,
  Comparison,
  MetricChoice,
} from './comparison.ts';

/** Options of {@link compare}: which runs of each place, and what of them. */
export interface CompareOptions extends ListOptions {
  /** What is shown of each metric; anything but `last` reads whole histories. Default `last`. */
  readonly values?: readonly MetricChoice[] | undefined;
  readonly best?: BestOf | undefined;
  /** Take the histories of the first so many runs along. Default 0. */
  readonly histories?: number | undefined;
}

/** Points of all histories together that are taken along, and of each one. */
const MOST_POINTS = 100_000;
const MOST_OF_EACH = 1000;
const LEAST_OF_EACH = 20;

/** A run while it is read. */
interface ReadRun {
  readonly run: Run;
  readonly compared: ComparedRun;
  readonly histories: readonly Omit<ComparedHistory, 'run'>[];
}

/**
 * The chosen runs of several places side by side, place by place, or all in the order of `order_by`; `max_runs` counts all
 * together. Gives what could not be read too. Throws as openReader does.
 */
export async function compare(
  locations: readonly string[],
  options: CompareOptions = {},
): Promise<{ comparison: Comparison; failures: readonly Failure[] }> {
  const read: ReadRun[] = [];
  const failures: Failure[] = [];
  for (const [place, location] of locations.entries()) {
    const own = await readPlace(location, options, async (reader, _, ledger) => {
      for await (const run of readRuns(reader, location, place, options, ledger)) read.push(run);
    });
    failures.push(...own);
  }
  const { order_by = [], max_runs = read.length } = options.selection ?? {};
  const compareByOrder = compareRuns(searchOf(options.selection ?? {}).order);
  const sorted = order_by.length === 0 ? read : read.toSorted((a, b) => compareByOrder(a.run, b.run));
  const first = sorted.slice(0, max_runs);
  return {
    comparison: {
      places: locations.map(redactUri),
      runs: first.map(({ compared }) => compared),
      values: options.values ?? ['last'],
      best: options.best,
      histories: thinned(
        first
          .slice(0, options.histories ?? 0)
          .flatMap(({ histories }, run) => histories.map((history) => ({ run, ...history }))),
      ),
    },
    failures,
  };
}

async function* readRuns(
  reader: Reader,
  location: string,
  place: number,
  options: CompareOptions,
  ledger: Ledger,
): AsyncGenerator<ReadRun> {
  const selection = selectionAt(location, options.selection);
  const { values = ['last'], histories = 0 } = options;
  const chosen: ChosenRun[] = [];
  for await (const run of chosenRuns(reader, selection, options)) chosen.push(run);
  const compareByOrder = compareRuns(searchOf(selection).order);
  if ((selection.order_by ?? []).length > 0)
    chosen.sort((a, b) => compareByOrder(a.source.run, b.source.run));
  const withHistory = values.some((choice) => choice !== 'last') ? chosen.length : histories;
  const steps = values.flatMap((choice) =>
    choice.startsWith('step=') ? [choice.slice('step='.length)] : [],
  );
  for await (const each of announced(reader, chosen.slice(0, withHistory))) {
    const { run } = each.source;
    try {
      yield await withPoints(each, place, steps);
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      ledger.failure(failureOf({ kind: 'run', id: run.run_id, name: run.run_name }, known));
      yield { run, compared: comparedRun(each, place), histories: [] };
    }
  }
  for (const each of chosen.slice(withHistory))
    yield { run: each.source.run, compared: comparedRun(each, place), histories: [] };
}

/** A run with the values of its histories. */
async function withPoints(each: ChosenRun, place: number, steps: readonly string[]): Promise<ReadRun> {
  const { source } = each;
  const summaries = new Map<string, ReturnType<typeof createSeriesSummary>>();
  /** Key and step → the latest point there. */
  const at = new Map<string, Map<string, { timestamp: number | string; value: number }>>();
  for await (const { key, points } of source.metrics()) {
    const summary = summaries.get(key) ?? createSeriesSummary(MOST_OF_EACH);
    summaries.set(key, summary);
    summary.add(points);
    if (steps.length === 0) continue;
    const own = at.get(key) ?? new Map();
    at.set(key, own);
    forEachPoint(points, (step, timestamp, value) => {
      const known = own.get(String(step));
      if (
        steps.includes(String(step)) &&
        (known === undefined || compareInt64(timestamp, known.timestamp) >= 0)
      )
        own.set(String(step), { timestamp, value });
    });
  }
  const compared = comparedRun(each, place);
  const metrics = Object.fromEntries(
    Object.entries(compared.metrics).map(([key, metric]): [string, ComparedMetric] => {
      const { min, max } = summaries.get(key)?.end() ?? {};
      const atSteps = [...(at.get(key) ?? [])].map(([step, { value }]) => [step, fromDouble(value)] as const);
      return [
        key,
        {
          ...metric,
          min: min && fromDouble(min.value),
          max: max && fromDouble(max.value),
          at: steps.length === 0 ? undefined : Object.fromEntries(atSteps),
        },
      ];
    }),
  );
  const histories = [...summaries].map(([key, summary]) => {
    const { count, points } = summary.end();
    const sorted = points.toSorted(
      (a, b) => compareInt64(a.step, b.step) || compareInt64(a.timestamp, b.timestamp),
    );
    return {
      key,
      count,
      steps: sorted.map(({ step }) => Number(step)),
      times: sorted.map(({ timestamp }) => Number(timestamp)),
      values: sorted.map(({ value }) => rounded(value)),
    };
  });
  return { run: source.run, compared: { ...compared, metrics }, histories };
}

function comparedRun({ experiment, source: { run } }: ChosenRun, place: number): ComparedRun {
  const { run_id, run_name, experiment_id, user_id, status, lifecycle_stage, start_time, end_time } = run;
  const source = sourceOf(run);
  return {
    place,
    run_id,
    run_name,
    experiment_id,
    experiment_name: experiment.name,
    user_id,
    status,
    lifecycle_stage,
    start_time,
    end_time,
    duration: durationOf(run),
    source: source?.name === undefined ? undefined : redactUri(source.name),
    commit: source?.git?.commit,
    link: source?.link,
    params: run.params,
    tags: run.tags,
    metrics: Object.fromEntries(
      Object.keys(run.latest_metrics).map((key) => {
        const [step, , last] = ownValue(run.latest_metrics, key) ?? [0, 0, 'NaN' as const];
        return [key, { last, step }];
      }),
    ),
  };
}

/** No screen shows more digits of a curve. */
function rounded(value: number): MetricValue {
  return Number.isFinite(value) ? Number(value.toPrecision(7)) : fromDouble(value);
}

/** Histories with so few points each that all together are not too many. */
function thinned(histories: readonly ComparedHistory[]): ComparedHistory[] {
  const most = Math.max(LEAST_OF_EACH, Math.floor(MOST_POINTS / Math.max(1, histories.length)));
  return histories.map((history) => {
    const { steps, times, values } = history;
    if (values.length <= most) return history;
    const kept = keptPositions(values.map(Number), most);
    const of = <T>(column: readonly T[]) => kept.flatMap((position) => column[position] ?? []);
    return { ...history, steps: of(steps), times: of(times), values: of(values) };
  });
}

/** Positions of the least and the greatest value of each of `most / 2` stretches. */
function keptPositions(values: readonly number[], most: number): number[] {
  const stretches = Math.floor(most / 2);
  const kept = new Set<number>();
  for (let stretch = 0; stretch < stretches; stretch += 1) {
    const from = Math.floor((stretch * values.length) / stretches);
    const to = Math.floor(((stretch + 1) * values.length) / stretches);
    let [least, greatest] = [from, from];
    for (let position = from + 1; position < to; position += 1) {
      const value = values[position] ?? Number.NaN;
      if (value < (values[least] ?? Number.NaN)) least = position;
      if (value > (values[greatest] ?? Number.NaN)) greatest = position;
    }
    kept.add(Math.min(least, greatest)).add(Math.max(least, greatest));
  }
  return [...kept];
}
