import type { z } from 'zod';
import type { Experiment, Run } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { experimentPage, runPage, ServerRun } from '../connect/answers.ts';
import { isMlflow } from '../connect/capabilities.ts';
import { isTooLarge } from '../connect/client.ts';
import { pages } from '../connect/pages.ts';
import { type Route, routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** MLflow's view types of experiments and runs. */
export type ViewType = 'ACTIVE_ONLY' | 'DELETED_ONLY' | 'ALL';

const PAGE = 1000;

/** All experiments of a stage, each once, in the server's order of creation. Throws SERVER_ERROR on a repeated token. */
export async function* searchExperiments(
  client: TrackingClient,
  view_type: ViewType,
): AsyncGenerator<Experiment> {
  const ids = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    client.call(routes.searchExperiments, {
      body: { view_type, max_results, page_token, order_by: ['creation_time ASC'] },
    });
  const isNew = ({ experiments }: z.infer<typeof experimentPage>) =>
    experiments.some(({ experiment_id }) => !ids.has(experiment_id));
  for await (const { experiments } of pages({ name: 'The list of experiments', ask, isNew, size: PAGE })) {
    for (const experiment of experiments) {
      if (ids.has(experiment.experiment_id)) continue;
      ids.add(experiment.experiment_id);
      yield experiment;
    }
  }
}

/** A search of runs. */
export interface RunQuery {
  readonly experiment_ids: readonly string[];
  readonly run_view_type: ViewType;
  /** In the server's dialect. */
  readonly filter?: string | undefined;
  /** Default: the earliest start first; the server goes on with the latest start, then the run id. */
  readonly order_by?: readonly string[];
}

/** All runs that a search finds, each once, in its order, `page` in a request. Throws SERVER_ERROR on a repeated token. */
export async function* searchRuns(
  client: TrackingClient,
  query: RunQuery,
  page: number = PAGE,
): AsyncGenerator<ServerRun> {
  for await (const runs of searchRunPages(client, query, page)) yield* runs;
}

/** The same, by pages of an answer. What is not MLflow may look at the first experiment only: there each is searched by itself. */
export async function* searchRunPages(
  client: TrackingClient,
  query: RunQuery,
  size: number,
): AsyncGenerator<ServerRun[]> {
  if (isMlflow(client.server)) yield* pagesOf(client, query, size);
  else
    for (const id of query.experiment_ids) yield* pagesOf(client, { ...query, experiment_ids: [id] }, size);
}

async function* pagesOf(client: TrackingClient, query: RunQuery, size: number): AsyncGenerator<ServerRun[]> {
  const ids = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, query, max_results, page_token, routes.searchRuns);
  const isNew = ({ runs }: z.infer<typeof runPage>) => runs.some(({ run }) => !ids.has(run.run_id));
  for await (const { runs } of pages({ name: nameOf(query), ask, isNew, size })) {
    yield runs.filter(({ run: { run_id } }) => {
      const first = !ids.has(run_id);
      ids.add(run_id);
      return first;
    });
  }
}

/** The runs that a search finds when one page holds them all and the server takes so many experiments, else undefined. */
export async function searchFew(client: TrackingClient, query: RunQuery): Promise<ServerRun[] | undefined> {
  try {
    const { runs, next_page_token } = await searchPage(client, query, PAGE, undefined, routes.searchRuns);
    return next_page_token ? undefined : runs;
  } catch (error) {
    if (isTooLarge(error) || (error instanceof MlferryError && error.code === 'REFUSED')) return undefined;
    throw error;
  }
}

/** Asks for one run, to see whether the server takes the search. Throws REFUSED when it does not. */
export async function trySearch(client: TrackingClient, query: RunQuery): Promise<void> {
  await searchPage(client, query, 1, undefined, routes.countRuns, 0);
}

/** How many runs of a stage an experiment has; counting ends at `most`. */
export async function countRuns(
  client: TrackingClient,
  experiment_id: string,
  run_view_type: ViewType,
  most: number,
): Promise<number> {
  const query: RunQuery = { experiment_ids: [experiment_id], run_view_type };
  if (!isMlflow(client.server)) return countHere(client, query, most);
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, query, max_results, page_token, routes.countRuns);
  let total = 0;
  for await (const { count } of pages({
    name: nameOf(query),
    ask,
    isNew: (page) => page.count > 0,
    size: PAGE,
  })) {
    total += count;
    if (total >= most) return most;
  }
  return total;
}

/** What is not MLflow may ignore the view. */
async function countHere(client: TrackingClient, query: RunQuery, most: number): Promise<number> {
  let total = 0;
  for await (const { run } of searchRuns(client, query)) {
    if (isInView(run, query.run_view_type)) total += 1;
    if (total >= most) break;
  }
  return total;
}

const isInView = ({ lifecycle_stage }: Run, view: ViewType) =>
  view === 'ALL' || (lifecycle_stage === 'active') === (view === 'ACTIVE_ONLY');

const BY_START = ['attributes.start_time ASC'];

function nameOf({ experiment_ids: [first, ...others] }: RunQuery): string {
  return `The list of runs of experiment ${first}${others.length === 0 ? '' : ` and ${others.length} others`}`;
}

function searchPage<T>(
  client: TrackingClient,
  { filter, order_by = BY_START, ...query }: RunQuery,
  max_results: number,
  page_token: string | undefined,
  route: Route<T>,
  repeats?: number,
): Promise<T> {
  const body = { ...query, filter, max_results, order_by, page_token };
  return client.call(route, { body, repeats });
}
