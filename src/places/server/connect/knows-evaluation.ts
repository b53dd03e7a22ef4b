import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import { isAtLeast } from './capabilities.ts';
import { serverAnswer } from './problems.ts';
import { routes } from './routes.ts';
import type { TrackingClient } from './tracking-client.ts';

/**
 * Whether the server has scorers and evaluation datasets: MLflow 3.4 and newer, on a database. Asked for where the server
 * does not tell its store (before 3.10).
 */
export async function knowsEvaluation(client: TrackingClient): Promise<boolean> {
  const { server } = client;
  if (!isAtLeast(server, '3.4') || server.databricks) return false;
  if (server.store_type !== undefined) return server.store_type === 'SqlStore';
  try {
    await client.call(routes.searchEvaluationDatasets, { body: { max_results: 1 }, repeats: 0 });
    return true;
  } catch (error) {
    const isDatabase = serverAnswer(error)?.error_code !== 'FEATURE_DISABLED';
    if (!(error instanceof MlferryError) || (isDatabase && endsJob(error))) throw error;
    return false;
  }
}
