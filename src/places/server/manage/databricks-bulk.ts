import type { BulkManager } from '../../manager.ts';
import { type Route, routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** Most runs that one request may ask for (Databricks REST API, delete-runs and restore-runs). */
const MOST = 10_000;

/** Databricks' own routes; they take one experiment and a time, and nothing else. Both may be repeated. */
export function databricksBulk(client: TrackingClient): BulkManager {
  const post = <T>(route: Route<T>, body: object) =>
    client.call(route, { body: { ...body, max_runs: MOST } });
  const answer = (runs: number) => ({ count: runs, full: runs >= MOST });
  return {
    deleteRuns: async (experiment_id, time) =>
      answer((await post(routes.deleteRuns, { experiment_id, max_timestamp_millis: time })).runs_deleted),
    restoreRuns: async (experiment_id, time) =>
      answer((await post(routes.restoreRuns, { experiment_id, min_timestamp_millis: time })).runs_restored),
  };
}
