import { z } from 'zod';
import type { BulkManager } from '../../place.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** Most runs that one request may ask for (Databricks REST API, delete-runs and restore-runs). */
const MOST = 10_000;
const count = z.int().nonnegative().default(0);
const deleted = z.object({ runs_deleted: count });
const restored = z.object({ runs_restored: count });

/** Databricks' own routes; they take one experiment and a time, and nothing else. Both may be repeated. */
export function databricksBulk(client: TrackingClient): BulkManager {
  const post = <T>(route: string, body: object, schema: z.ZodType<T>) =>
    client.call({
      method: 'POST',
      path: `/api/2.0/mlflow/databricks/runs/${route}`,
      body: { ...body, max_runs: MOST },
      schema,
    });
  const answer = (runs: number) => ({ count: runs, full: runs >= MOST });
  return {
    deleteRuns: async (experiment_id, time) =>
      answer(
        (await post('delete-runs', { experiment_id, max_timestamp_millis: time }, deleted)).runs_deleted,
      ),
    restoreRuns: async (experiment_id, time) =>
      answer(
        (await post('restore-runs', { experiment_id, min_timestamp_millis: time }, restored)).runs_restored,
      ),
  };
}
