import { ORIGIN_TAG, originRunId } from '../../../model/canonical.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { experimentIds } from '../read/experiment-ids.ts';
import { COPIED_RUNS } from './known-runs.ts';
import type { TargetRoutes } from './target-routes.ts';

const MOST_SINGLE = 20;

/** The runs of an experiment with this very origin, active ones first. */
export async function runsOfOrigin(
  routes: TargetRoutes,
  experiment_id: string,
  origin: string,
): Promise<Run[]> {
  const found: Run[] = [];
  for await (const page of routes.searchRuns([experiment_id], `tags.\`${ORIGIN_TAG}\` = ${quoted(origin)}`))
    found.push(...page.filter((run) => ownValue(run.tags, ORIGIN_TAG) === origin));
  return found.sort((a, b) => (a.lifecycle_stage < b.lifecycle_stage ? -1 : 1));
}

/** A literal of MLflow's search language, which has no escapes. */
function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

/**
 * The copies of source runs in any experiment of the target; of several copies of a run one that is active. Few are
 * searched for one by one, many by a scan of all copied runs.
 */
export async function findCopiedRuns(
  client: TrackingClient,
  routes: TargetRoutes,
  source_run_ids: readonly string[],
): Promise<Map<string, string>> {
  const wanted = new Set(source_run_ids.filter((id) => /^[\w-]+$/.test(id)));
  const found = new Map<string, string>();
  const deleted = new Map<string, string>();
  if (wanted.size === 0) return found;
  const filters =
    wanted.size > MOST_SINGLE
      ? [COPIED_RUNS]
      : [...wanted].map((id) => `tags.\`${ORIGIN_TAG}\` LIKE '%/${id}'`);
  for await (const ids of experimentIds(client)) {
    for (const filter of filters) {
      for await (const page of routes.searchRuns(ids, filter)) {
        for (const { run_id, tags, lifecycle_stage } of page) {
          const id = originRunId(ownValue(tags, ORIGIN_TAG) ?? '');
          // `_` in LIKE stands for any character.
          if (wanted.has(id)) (lifecycle_stage === 'active' ? found : deleted).set(id, run_id);
        }
      }
    }
  }
  return new Map([...deleted, ...found]);
}
