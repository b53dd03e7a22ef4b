import type { z } from 'zod';
import type { Experiment } from '../../model/records.ts';
import { isTooLarge, type TrackingClient } from './client.ts';
import { pageTokens } from './page-tokens.ts';
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

/** All runs of an experiment, each once, in the order (start_time, run_id). Throws SERVER_ERROR on a repeated token. */
export async function* searchRuns(
  client: TrackingClient,
  experiment_id: string,
  run_view_type: ViewType,
): AsyncGenerator<ServerRun> {
  const ids = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, experiment_id, run_view_type, max_results, page_token, runPage);
  const isNew = ({ runs }: z.infer<typeof runPage>) => runs.some(({ run }) => !ids.has(run.run_id));
  for await (const { runs } of pages(`The list of runs of experiment ${experiment_id}`, ask, isNew)) {
    for (const found of runs) {
      if (ids.has(found.run.run_id)) continue;
      ids.add(found.run.run_id);
      yield found;
    }
  }
}

/** How many runs of a stage an experiment has; counting ends at `most`. */
export async function countRuns(
  client: TrackingClient,
  experiment_id: string,
  run_view_type: ViewType,
  most: number,
): Promise<number> {
  const schema = countedPage('runs');
  const ask = (max_results: number, page_token: string | undefined) =>
    searchPage(client, experiment_id, run_view_type, max_results, page_token, schema);
  let total = 0;
  const name = `The list of runs of experiment ${experiment_id}`;
  for await (const { count } of pages(name, ask, (page) => page.count > 0)) {
    total += count;
    if (total >= most) return most;
  }
  return total;
}

function searchPage<T>(
  client: TrackingClient,
  experiment_id: string,
  run_view_type: ViewType,
  max_results: number,
  page_token: string | undefined,
  schema: z.ZodType<T>,
): Promise<T> {
  const order_by = ['attributes.start_time ASC'];
  const body = { experiment_ids: [experiment_id], run_view_type, max_results, order_by, page_token };
  return client.call({ method: 'POST', path: '/api/2.0/mlflow/runs/search', body, schema });
}

/**
 * The pages of a search. Asks for smaller ones while an answer is too large (tokens are offsets, so the size may
 * change). Throws SERVER_ERROR as {@link pageTokens} does: the list would never end.
 */
async function* pages<T extends { next_page_token?: string | undefined }>(
  name: string,
  ask: (max_results: number, page_token: string | undefined) => Promise<T>,
  isNew: (page: T) => boolean,
): AsyncGenerator<T> {
  const follow = pageTokens(name);
  let size = PAGE;
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
