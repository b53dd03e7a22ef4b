import { ORIGIN_TAG, originRunId } from '../../model/canonical.ts';
import type { Run } from '../../model/records.ts';
import { ownValue } from '../../model/string-map.ts';
import type { TrackingClient } from './client.ts';
import { searchExperiments } from './searches.ts';
import type { TargetRoutes } from './target-routes.ts';

const EXPERIMENTS_PER_SEARCH = 500;

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

async function* experimentIds(client: TrackingClient): AsyncGenerator<string[]> {
  let ids: string[] = [];
  for await (const { experiment_id } of searchExperiments(client, 'ALL')) {
    ids.push(experiment_id);
    if (ids.length < EXPERIMENTS_PER_SEARCH) continue;
    yield ids;
    ids = [];
  }
  if (ids.length > 0) yield ids;
}
