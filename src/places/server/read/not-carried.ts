import type { Findings } from '../../../model/findings.ts';
import type { Experiment } from '../../../model/records.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { type Route, routes } from '../connect/routes.ts';
import type { Asked, TrackingClient } from '../connect/tracking-client.ts';

/** What an experiment holds besides runs, which records have no kind for yet: reported, one cheap request each. */
export async function reportNotCarried(
  client: TrackingClient,
  experiment: Experiment,
  findings: Findings,
): Promise<void> {
  const { experiment_id, name: experiment_name } = experiment;
  for (const { code, what, since, request } of kinds(experiment_id)) {
    if (client.server.version !== undefined && !isAtLeast(client.server, since)) continue;
    const found = await firstPage(client, request);
    if (found === undefined || (typeof found === 'object' && found.count === 0)) continue;
    if (typeof found === 'string') {
      findings.loss({
        code,
        experiment_name,
        detail: `${what} are not carried, and could not be counted: ${found}`,
      });
      continue;
    }
    const least = found.next_page_token ? 'at least ' : '';
    findings.loss({
      code,
      experiment_name,
      count: found.count,
      detail: `${what} are not carried: ${least}${found.count}`,
    });
  }
}

type Page = { count: number; next_page_token: string | undefined };
type Search = readonly [route: Route<Page>, asked: Asked];

/** Traces came with 2.14, and were moved to another route with 3.3. */
function kinds(experiment_id: string) {
  const locations = [{ type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } }];
  const traces: Search = [routes.countTraces, { body: { locations, max_results: 100 } }];
  const olderTraces: Search = [
    routes.countTracesBefore33,
    { query: { experiment_ids: [experiment_id], max_results: 100 } },
  ];
  return [{ code: 'TRACES' as const, what: 'Traces', since: '2.14', request: [traces, olderTraces] }];
}

/** The first page of the first route that is there; `undefined` when none is; a text is the reason of a failure. */
async function firstPage(
  client: TrackingClient,
  requests: readonly Search[],
): Promise<Page | string | undefined> {
  for (const [route, asked] of requests) {
    try {
      return await client.call(route, { ...asked, repeats: 1 });
    } catch (error) {
      if (!(error instanceof MlferryError)) throw error;
      if (error.code === 'UNSUPPORTED' || error.code === 'NOT_FOUND') continue;
      if (endsJob(error)) throw error;
      return error.message;
    }
  }
  return undefined;
}
