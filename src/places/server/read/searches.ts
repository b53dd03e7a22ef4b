import type { z } from 'zod';
import type { Experiment } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { isTooLarge } from '../connect/client.ts';
import { pageTokens } from '../connect/page-tokens.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { countedPage, experimentPage, runPage, type ServerRun } from './schemas.ts';

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
    client.call({
      method: 'POST',
      path: '/api/2.0/mlflow/experiments/search',
      body: { view_type, max_results, page_token, order_by: ['creation_time ASC'] },
      schema: experimentPage,
    });
  const isNew = ({ experiments }: z.infer<typeof experimentPage>) =>
    experiments.some(({ experiment_id }) => !ids.has(experiment_id));
  for await (const { experiments } of pages('The list of experiments', ask, isNew)) {
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
  const ids = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, query, max_results, page_token, runPage);
  const isNew = ({ runs }: z.infer<typeof runPage>) => runs.some(({ run }) => !ids.has(run.run_id));
  for await (const { runs } of pages(nameOf(query), ask, isNew, page)) {
    for (const found of runs) {
      if (ids.has(found.run.run_id)) continue;
      ids.add(found.run.run_id);
      yield found;
    }
  }
}

/** The runs that a search finds when one page holds them all and the server takes so many experiments, else undefined. */
export async function searchFew(client: TrackingClient, query: RunQuery): Promise<ServerRun[] | undefined> {
  try {
    const { runs, next_page_token } = await searchPage(client, query, PAGE, undefined, runPage);
    return next_page_token ? undefined : runs;
  } catch (error) {
    if (isTooLarge(error) || (error instanceof MlferryError && error.code === 'REFUSED')) return undefined;
    throw error;
  }
}

/** Asks for one run, to see whether the server takes the search. Throws REFUSED when it does not. */
export async function trySearch(client: TrackingClient, query: RunQuery): Promise<void> {
  await searchPage(client, query, 1, undefined, countedPage('runs'), 0);
}

/** How many runs of a stage an experiment has; counting ends at `most`. */
export async function countRuns(
  client: TrackingClient,
  experiment_id: string,
  run_view_type: ViewType,
  most: number,
): Promise<number> {
  const schema = countedPage('runs');
  const query: RunQuery = { experiment_ids: [experiment_id], run_view_type };
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, query, max_results, page_token, schema);
  let total = 0;
  for await (const { count } of pages(nameOf(query), ask, (page) => page.count > 0)) {
    total += count;
    if (total >= most) return most;
  }
  return total;
}

const BY_START = ['attributes.start_time ASC'];

function nameOf({ experiment_ids: [first, ...others] }: RunQuery): string {
  return `The list of runs of experiment ${first}${others.length === 0 ? '' : ` and ${others.length} others`}`;
}

function searchPage<T>(
  client: TrackingClient,
  { filter, order_by = BY_START, ...query }: RunQuery,
  max_results: number,
  page_token: string | undefined,
  schema: z.ZodType<T>,
  repeats?: number,
): Promise<T> {
  const body = { ...query, filter, max_results, order_by, page_token };
  const path = '/api/2.0/mlflow/runs/search';
  return client.call({ method: 'POST', path, body, schema, ...(repeats === undefined ? {} : { repeats }) });
}

/**
 * The pages of a search. Asks for smaller ones while an answer is too large (tokens are offsets, so the size may
 * change). Throws SERVER_ERROR as {@link pageTokens} does: the list would never end.
 */
async function* pages<T extends { next_page_token?: string | undefined }>(
  name: string,
  ask: (max_results: number, page_token: string | undefined) => Promise<T>,
  isNew: (page: T) => boolean,
  most: number = PAGE,
): AsyncGenerator<T> {
  const follow = pageTokens(name);
  let size = most;
  let token: string | undefined;
  while (true) {
    let page: T;
    try {
      page = await ask(size, token);
    } catch (error) {
      if (size === 1 || !isTooLarge(error)) throw error;
      size = Math.ceil(size / 8);
      continue;
    }
    token = follow(page.next_page_token, isNew(page));
    yield page;
    if (token === undefined) return;
  }
}
