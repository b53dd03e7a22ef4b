import pLimit from 'p-limit';
import type { Experiment, Run } from '../../../model/records.ts';
import type { Selection } from '../../../model/selection.ts';
import { needsHistory } from '../../../search/aggregates.ts';
import { type Dialect, weaker } from '../../../search/dialects.ts';
import type { Expression } from '../../../search/expression.ts';
import { formatExpression, formatOrder } from '../../../search/format-expression.ts';
import { judgeRecord } from '../../../search/judge-record.ts';
import { type PushDown, pushDown, pushOrder } from '../../../search/push-down.ts';
import type { Search } from '../../../search/search-of.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { Explanation } from '../../place.ts';
import type { ServerRun } from '../connect/answers.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { type RunQuery, searchFew, searchRuns, trySearch, type ViewType } from './searches.ts';
import { byStart, getRun, type Missing, runObject } from './selected.ts';
import { serverDialect } from './server-dialect.ts';

/** A run that a search found, and what of the filter is still to be judged of it. */
export interface FoundRun {
  readonly found: ServerRun;
  readonly recheck: Expression | undefined;
}

/** Searches of runs with filters, as far as the server helps. */
export interface RunSearch {
  /** Names the experiments that will be searched, so that several can be searched at once. */
  expect(experiments: readonly Experiment[]): void;
  /** Candidates of one experiment, in the order (start_time, run_id). */
  find(experiment_id: string, selection: Selection, filter: Expression): AsyncIterable<FoundRun>;
  /** Candidates of all these experiments, in streams that are sorted where the server can. */
  together(
    experiments: readonly Experiment[],
    selection: Selection,
    search: Search,
  ): Promise<{ streams: ReadonlyArray<AsyncIterable<FoundRun>>; sorted: boolean }>;
  /** Runs by their ids, in the order of these. Those that are gone are reported as missing. */
  byIds(experiment_id: string, ids: readonly string[]): AsyncIterable<ServerRun>;
  explain(
    experiments: readonly Experiment[],
    selection: Selection,
    search: Search,
  ): Promise<Omit<Explanation, 'place'>>;
}

/** MLflow's view types, by ours. */
export const VIEW_TYPES: Readonly<Record<Selection['view'], ViewType>> = {
  active: 'ACTIVE_ONLY',
  deleted: 'DELETED_ONLY',
  all: 'ALL',
};

const IDS = 100;
/** Runs in a page: of a sorted search only the first are wanted, unless many of them are sorted out here. */
const MOST_PAGE = 1000;
const LEAST_PAGE = 100;
const PARALLEL = 4;

interface Accepted {
  readonly dialect: Dialect;
  readonly split: PushDown;
  readonly refused: readonly string[];
}

/** The runs of several experiments that one search found, or undefined where they were too many to hold. */
interface Group {
  readonly key: string;
  readonly runs: Promise<ReadonlyMap<string, readonly ServerRun[]> | undefined>;
}

/**
 * Searches through the server's own language. A filter that it refuses is asked again in a weaker dialect, in the end
 * without any; `refused` hears of it once. `announce` hears of runs, at most 100 at once, whose histories will be asked for.
 */
export function createRunSearch(
  client: TrackingClient,
  missing: Missing,
  refused: (reason: string) => void,
  announce: (runs: readonly Run[], keys: readonly string[]) => void,
): RunSearch {
  const limit = pLimit(PARALLEL);
  const accepted = new Map<string, Promise<Accepted>>();
  let known: Promise<Dialect> | undefined;
  let expected: readonly string[] = [];
  let places = new Map<string, number>();
  let group: Group | undefined;

  const dialect = () => {
    known ??= serverDialect(client);
    return known;
  };

  /** What of a filter the server takes; tried on one experiment. */
  const accept = (experiment_id: string, selection: Selection, filter: Expression | undefined) => {
    const key = JSON.stringify([selection.filter, selection.view]);
    const job = accepted.get(key) ?? tryDialects(experiment_id, selection, filter);
    accepted.set(key, job);
    return job;
  };

  const tryDialects = async (
    experiment_id: string,
    { view }: Selection,
    filter: Expression | undefined,
  ): Promise<Accepted> => {
    const refusals: string[] = [];
    let last = '';
    const run_view_type = VIEW_TYPES[view];
    for (let tried: Dialect | undefined = await dialect(); tried !== undefined; tried = weaker(tried)) {
      const split = pushDown(filter, tried);
      if (split.filter === undefined) return { dialect: tried, split, refused: refusals };
      if (split.filter === last) continue;
      last = split.filter;
      try {
        await trySearch(client, { experiment_ids: [experiment_id], run_view_type, filter: split.filter });
        return { dialect: tried, split, refused: refusals };
      } catch (error) {
        if (!(error instanceof MlferryError) || error.code !== 'REFUSED') throw error;
        refusals.push(`${split.filter}: ${error.message}`);
        refused(`The server refuses the filter ${split.filter}: ${error.message}`);
      }
    }
    const split = { filter: undefined, rest: filter, recheck: filter };
    return { dialect: await dialect(), split, refused: refusals };
  };

  /** The runs of the experiment where one search over it and its neighbours finds few enough to hold. */
  const groupOf = async (
    experiment_id: string,
    query: RunQuery,
    recheck: Expression | undefined,
    most: number,
  ) => {
    const place = places.get(experiment_id);
    if (place === undefined) return undefined;
    const start = place - (place % most);
    const ids = expected.slice(start, start + most);
    if (ids.length < 2) return undefined;
    const key = JSON.stringify([start, query.filter, query.run_view_type]);
    if (group?.key !== key) {
      const few = searchFew(client, { ...query, experiment_ids: ids });
      group = {
        key,
        runs: few.then((runs) => {
          if (runs !== undefined && recheck !== undefined) announceOpen(runs, recheck);
          return runs && Map.groupBy(runs, ({ run }) => run.experiment_id);
        }),
      };
    }
    const runs = await group.runs;
    return runs && (runs.get(experiment_id) ?? []);
  };

  /** Histories of runs that their records do not decide; of all experiments of the group in the same requests. */
  const announceOpen = (found: readonly ServerRun[], recheck: Expression) => {
    const keys = [...needsHistory(recheck)];
    const open = found.map(({ run }) => run).filter((run) => judgeRecord(recheck, run) === undefined);
    for (const chunk of chunks(open, IDS)) announce(chunk, keys);
  };

  async function* find(
    experiment_id: string,
    selection: Selection,
    filter: Expression,
  ): AsyncGenerator<FoundRun> {
    const { dialect, split } = await accept(experiment_id, selection, filter);
    const query: RunQuery = {
      experiment_ids: [experiment_id],
      run_view_type: VIEW_TYPES[selection.view],
      filter: split.filter,
    };
    const few =
      split.filter === undefined
        ? undefined
        : await groupOf(experiment_id, query, split.recheck, dialect.experiments);
    for await (const found of few ?? searchRuns(client, query)) yield { found, recheck: split.recheck };
  }

  async function* streamOf(
    query: RunQuery,
    recheck: Expression | undefined,
    page: number,
  ): AsyncGenerator<FoundRun> {
    for await (const found of searchRuns(client, query, page)) yield { found, recheck };
  }

  const together: RunSearch['together'] = async (experiments, selection, search) => {
    const [first] = experiments;
    if (first === undefined) return { streams: [], sorted: true };
    const { filter, order, max_runs = MOST_PAGE } = search;
    const { dialect, split } = await accept(first.experiment_id, selection, filter);
    const order_by = pushOrder(order, dialect);
    const page = order_by === undefined ? MOST_PAGE : Math.min(MOST_PAGE, Math.max(LEAST_PAGE, max_runs));
    const streams = chunks(experiments, dialect.experiments).map((chunk) => {
      const query: RunQuery = {
        experiment_ids: chunk.map(({ experiment_id }) => experiment_id),
        run_view_type: VIEW_TYPES[selection.view],
        filter: split.filter,
        ...(order_by === undefined ? {} : { order_by }),
      };
      return streamOf(query, split.recheck, page);
    });
    return { streams, sorted: order_by !== undefined };
  };

  async function* byIds(experiment_id: string, ids: readonly string[]): AsyncGenerator<ServerRun> {
    const { lists } = await dialect();
    for (const chunk of chunks(ids, IDS)) {
      const plain = lists ? chunk.filter((id) => /^[0-9a-f]*[a-f][0-9a-f]*$/.test(id)) : [];
      const runs: ServerRun[] = [];
      if (plain.length > 0) {
        const filter = `attributes.run_id IN (${plain.map((id) => `'${id}'`).join(', ')})`;
        const query: RunQuery = { experiment_ids: [experiment_id], run_view_type: 'ALL', filter };
        for await (const found of searchRuns(client, query)) runs.push(found);
        const found = new Set(runs.map(({ run }) => run.run_id));
        for (const id of plain.filter((id) => !found.has(id)))
          missing(runObject(id), 'the run is gone meanwhile');
      }
      const others = chunk.filter((id) => !plain.includes(id));
      const single = await Promise.all(others.map((id) => limit(() => getRun(client, id, missing))));
      runs.push(...single.filter((run) => run !== undefined));
      yield* runs.sort((a, b) => byStart(a.run, b.run));
    }
  }

  return {
    expect(experiments) {
      expected = experiments.map(({ experiment_id }) => experiment_id);
      places = new Map(expected.map((id, place) => [id, place]));
      group = undefined;
    },
    find,
    together,
    byIds,
    async explain(experiments, selection, { filter, order, max_runs }) {
      const [first] = experiments;
      const { dialect, split, refused } =
        first === undefined
          ? { ...(await unasked(filter)), refused: [] }
          : await accept(first.experiment_id, selection, filter);
      const order_by = pushOrder(order, dialect);
      const inOne = split.filter === undefined && max_runs === undefined ? 1 : dialect.experiments;
      return {
        dialect: dialect.name,
        ...(split.filter === undefined ? {} : { pushed: split.filter }),
        ...(split.rest === undefined ? {} : { here: shown(split.rest, selection) }),
        histories: split.recheck === undefined ? [] : [...needsHistory(split.recheck)],
        ...(max_runs === undefined
          ? {}
          : {
              order: {
                columns: order_by ?? order.map(formatOrder),
                pushed: order_by !== undefined,
                first: max_runs,
              },
            }),
        experiments: experiments.length,
        searches: Math.ceil(experiments.length / inOne),
        refused,
      };
    },
  };

  async function unasked(filter: Expression | undefined) {
    const asked = await dialect();
    return { dialect: asked, split: pushDown(filter, asked) };
  }
}

/** An expression as text; the whole filter where the part by itself has none. */
function shown(expression: Expression, { filter = '' }: Selection): string {
  try {
    return formatExpression(expression);
  } catch {
    return filter;
  }
}

function chunks<T>(items: readonly T[], size: number): T[][] {
  const result: T[][] = [];
  for (let start = 0; start < items.length; start += size) result.push(items.slice(start, start + size));
  return result;
}
