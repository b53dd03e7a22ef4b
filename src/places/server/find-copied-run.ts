import { ORIGIN_TAG, originRunId } from '../../model/canonical.ts';
import { ownValue } from '../../model/string-map.ts';
import type { TrackingClient } from './client.ts';
import { experimentIds } from './experiment-ids.ts';
import type { TargetRoutes } from './target-routes.ts';

/** The copy of a source run in any experiment of the target; of several the one that is active. */
export async function findCopiedRun(
  client: TrackingClient,
  routes: TargetRoutes,
  source_run_id: string,
): Promise<string | undefined> {
  if (!/^[\w-]+$/.test(source_run_id)) return undefined;
  let deleted: string | undefined;
  for await (const ids of experimentIds(client)) {
    for await (const page of routes.searchRuns(ids, `tags.\`${ORIGIN_TAG}\` LIKE '%/${source_run_id}'`)) {
      for (const run of page) {
        // `_` in LIKE stands for any character.
        if (originRunId(ownValue(run.tags, ORIGIN_TAG) ?? '') !== source_run_id) continue;
        if (run.lifecycle_stage === 'active') return run.run_id;
        deleted ??= run.run_id;
      }
    }
  }
  return deleted;
}
