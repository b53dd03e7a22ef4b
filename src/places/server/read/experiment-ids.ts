import type { TrackingClient } from '../connect/tracking-client.ts';
import { searchExperiments } from './searches.ts';

/** Experiments that one runs/search may name: Databricks refuses more than 100 (mlflow#13590). */
const MOST = { databricks: 100, mlflow: 500 };

/** The ids of all experiments, deleted ones too, in chunks that one search takes. */
export async function* experimentIds(client: TrackingClient): AsyncGenerator<string[]> {
  const most = client.server.databricks ? MOST.databricks : MOST.mlflow;
  let ids: string[] = [];
  for await (const { experiment_id } of searchExperiments(client, 'ALL')) {
    ids.push(experiment_id);
    if (ids.length < most) continue;
    yield ids;
    ids = [];
  }
  if (ids.length > 0) yield ids;
}
