import type { Findings } from '../../model/findings.ts';
import type { Experiment } from '../../model/records.ts';
import type { Selection } from '../../model/selection.ts';
import { addPoints, type HistoryAggregates, needsHistory } from '../../search/aggregates.ts';
import { createBestRuns } from '../../search/best-runs.ts';
import { evaluate, evaluateExperiment } from '../../search/evaluate.ts';
import type { Expression } from '../../search/expression.ts';
import { formatOrder } from '../../search/format-expression.ts';
import { judgeRecord } from '../../search/judge-record.ts';
import { type Search, searchOf } from '../../search/search-of.ts';
import { endsJob } from '../../util/ends-job.ts';
import { asMlferryError } from '../../util/errors.ts';
import { mapConcurrent } from '../../util/map-concurrent.ts';
import type { Explanation, Reader, RunReader } from '../place.ts';
import type { PlaceOptions } from '../place-options.ts';
import { registeredReader } from './registered-reader.ts';
import { createRunPrefixes, type RunsLike } from './run-prefix.ts';

/** A run that may be selected. */
export interface SourceRun extends RunReader {
  /** Tells the findings what of the run the place cannot give; called when it is handed out. */
  report?(): Promise<void> | void;
}

/** A run and what of the filter is still to be judged of it. */
export interface Candidate {
  readonly source: SourceRun;
  readonly recheck: Expression | undefined;
}

/** What a place itself does: its `runs` know ids and view, and neither a filter nor an order. */
export interface RunSource extends Omit<Reader, 'runs'> {
  runs(experiment: Experiment, selection: Selection): AsyncIterable<SourceRun>;
  readonly runsLike: RunsLike;
  /** Candidates for a filter, in the order of `runs`, where the place can sort out runs by itself. */
  search?(experiment: Experiment, selection: Selection, filter: Expression): AsyncIterable<Candidate>;
  /** For the best of many: all candidates of these experiments, where the place has a better way than one by one. */
  together?(
    experiments: readonly Experiment[],
    selection: Selection,
    search: Search,
  ): Promise<Together | undefined>;
}

/** Candidates of many experiments in a few streams. */
export interface Together {
  readonly streams: ReadonlyArray<AsyncIterable<Candidate>>;
  /** Whether each stream comes in the order of the search. */
  readonly sorted: boolean;
}

/** Candidates judged together, so that the histories they need can be fetched together. */
const CHUNK = 100;

interface Choice {
  readonly experiments: readonly Experiment[];
  readonly ids: ReadonlyMap<string, readonly string[]>;
}

/**
 * The reader of a place: finds the runs that beginnings of ids mean, and applies filters, order and `max_runs` of selections
 * to its runs, for all places alike. The best
 * `max_runs` of the whole selection are found in a pass of their own, which keeps their ids only; then they are read
 * again by id. A run whose history cannot be read for a filter is a failure and not selected.
 */
export function selectingReader(
  source: RunSource,
  { findings, concurrency }: Pick<PlaceOptions, 'findings' | 'concurrency'>,
): Reader {
  const choices = new Map<string, Promise<Choice>>();
  const withWholeIds = createRunPrefixes(source.runsLike);

  async function* experimentsOf(selection: Selection, search: Search): AsyncGenerator<Experiment> {
    for await (const experiment of source.experiments(selection)) {
      const { experiment_filter } = search;
      if (experiment_filter === undefined || evaluateExperiment(experiment_filter, experiment))
        yield experiment;
    }
  }

  async function* candidatesOf(
    experiment: Experiment,
    selection: Selection,
    { filter }: Search,
  ): AsyncGenerator<Candidate> {
    if (filter !== undefined && source.search !== undefined)
      yield* source.search(experiment, selection, filter);
    else for await (const run of source.runs(experiment, selection)) yield { source: run, recheck: filter };
  }

  async function* matching(candidates: AsyncIterable<Candidate>): AsyncGenerator<SourceRun> {
    for await (const chunk of chunksOf(candidates)) {
      const verdicts = chunk.map(({ source: { run }, recheck }) =>
        recheck === undefined ? true : judgeRecord(recheck, run),
      );
      const open = [...chunk.entries()].filter(([index]) => verdicts[index] === undefined);
      const keys = [
        ...new Set(open.flatMap(([, { recheck }]) => (recheck ? [...needsHistory(recheck)] : []))),
      ];
      if (open.length > 0)
        source.prefetch?.(
          open.map(([, candidate]) => candidate.source),
          keys,
        );
      await mapConcurrent(open, concurrency, async ([index, candidate]) => {
        verdicts[index] = await judgeHistories(candidate, findings);
      });
      for (const [index, candidate] of chunk.entries()) if (verdicts[index] === true) yield candidate.source;
    }
  }

  const choose = (selection: Selection, search: Search, most: number): Promise<Choice> => {
    const key = JSON.stringify(selection);
    const known = choices.get(key) ?? chosen(selection, search, most);
    choices.set(key, known);
    return known;
  };

  const chosen = async (selection: Selection, search: Search, most: number): Promise<Choice> => {
    const experiments: Experiment[] = [];
    for await (const experiment of experimentsOf(selection, search)) experiments.push(experiment);
    const best = createBestRuns(search.order, most);
    const take = async (candidates: AsyncIterable<Candidate>, isSorted: boolean) => {
      let taken = 0;
      for await (const { run } of matching(candidates)) {
        best.offer(run);
        taken += 1;
        if (isSorted && taken === most) return;
      }
    };
    const together = await source.together?.(experiments, selection, search);
    if (together !== undefined) {
      for (const candidates of together.streams) await take(candidates, together.sorted);
      return { experiments, ids: best.ids() };
    }
    for (const experiment of experiments) {
      try {
        await take(candidatesOf(experiment, selection, search), false);
      } catch (error) {
        const known = asMlferryError(error);
        if (endsJob(known)) throw error;
        const { code, message, hint } = known;
        findings.failure({ code, object: `experiment "${experiment.name}"`, message, hint });
      }
    }
    return { experiments, ids: best.ids() };
  };

  async function* selected(experiment: Experiment, selection: Selection): AsyncGenerator<SourceRun> {
    const search = searchOf(selection);
    if (search.max_runs === undefined) {
      if (search.filter === undefined) yield* source.runs(experiment, selection);
      else yield* matching(candidatesOf(experiment, selection, search));
      return;
    }
    const { ids } = await choose(selection, search, search.max_runs);
    const runs = ids.get(experiment.experiment_id) ?? [];
    if (runs.length > 0) yield* source.runs(experiment, { ...selection, runs });
  }

  const reader: Reader = {
    ...source,
    async *experiments(given) {
      const selection = await withWholeIds(given);
      const search = searchOf(selection);
      if (search.max_runs === undefined) {
        yield* experimentsOf(selection, search);
        return;
      }
      const { experiments, ids } = await choose(selection, search, search.max_runs);
      yield* experiments.filter(({ experiment_id }) => ids.has(experiment_id));
    },
    async *runs(experiment, selection) {
      for await (const run of selected(experiment, await withWholeIds(selection))) {
        await run.report?.();
        yield run;
      }
    },
    explain: async (selection) =>
      selection.runs.length === 0 && source.explain !== undefined
        ? source.explain(selection)
        : explainHere(source.info, selection),
  };
  return registeredReader(reader, findings);
}

/** How a selection is worked out where nobody else helps. */
function explainHere(place: Explanation['place'], selection: Selection): Explanation {
  const { filter, order, max_runs } = searchOf(selection);
  return {
    place,
    ...(selection.filter === undefined ? {} : { here: selection.filter }),
    histories: filter === undefined ? [] : [...needsHistory(filter)],
    ...(max_runs === undefined
      ? {}
      : { order: { columns: order.map(formatOrder), pushed: false, first: max_runs } }),
    refused: [],
  };
}

async function* chunksOf(candidates: AsyncIterable<Candidate>): AsyncGenerator<Candidate[]> {
  let chunk: Candidate[] = [];
  for await (const candidate of candidates) {
    chunk.push(candidate);
    if (chunk.length < CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}

async function judgeHistories({ source, recheck }: Candidate, findings: Findings): Promise<boolean> {
  if (recheck === undefined) return true;
  const keys = needsHistory(recheck);
  const histories = new Map<string, HistoryAggregates>();
  try {
    for await (const { key, points } of source.metrics([...keys])) {
      if (!keys.has(key)) continue;
      const history = addPoints(histories.get(key), points);
      if (history !== undefined) histories.set(key, history);
    }
    return evaluate(recheck, source.run, (key) => histories.get(key));
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known)) throw error;
    const { code, message, hint } = known;
    findings.failure({ code, object: `run ${source.run.run_id}`, message, hint });
    return false;
  }
}
