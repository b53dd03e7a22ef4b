import { PARENT_TAG } from '../../../model/mlflow/tags.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { ChildRun } from '../../manager.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { experimentIds } from '../read/experiment-ids.ts';
import type { TargetRoutes } from '../write/target-routes.ts';

/** Up to so many parents are asked for one by one; for more, all runs that have a parent are listed once. */
const FEW = 20;

/** Finds the children of runs in all experiments. What is found is remembered: a manager lives for one command. */
export function createChildren(
  client: TrackingClient,
  routes: TargetRoutes,
  concurrency: number,
): (parents: readonly string[]) => Promise<ChildRun[]> {
  let all: Promise<Map<string, ChildRun[]>> | undefined;
  let chunks: Promise<string[][]> | undefined;

  async function* search(filter: string): AsyncGenerator<ChildRun> {
    chunks ??= listExperiments(client);
    for (const ids of await chunks) {
      for await (const page of routes.searchRuns(ids, filter)) {
        for (const run of page) {
          const child = childOf(run);
          if (child !== undefined) yield child;
        }
      }
    }
  }

  async function listAll(): Promise<Map<string, ChildRun[]>> {
    const found: ChildRun[] = [];
    // Of all ways to say "has the tag" the one that every MLflow and Databricks take.
    for await (const child of search(`tags.\`${PARENT_TAG}\` != ''`)) found.push(child);
    return Map.groupBy(found, ({ parent }) => parent);
  }

  return async (parents) => {
    const nameable = parents.every((id) => /^[\w-]+$/.test(id));
    if (all === undefined && nameable && parents.length <= FEW) {
      const found: ChildRun[] = [];
      await mapConcurrent(parents, concurrency, async (id) => {
        for await (const child of search(`tags.\`${PARENT_TAG}\` = '${id}'`)) {
          if (child.parent === id) found.push(child);
        }
      });
      return found;
    }
    all ??= listAll();
    const known = await all;
    return parents.flatMap((id) => known.get(id) ?? []);
  };
}

async function listExperiments(client: TrackingClient): Promise<string[][]> {
  const chunks: string[][] = [];
  for await (const ids of experimentIds(client)) chunks.push(ids);
  return chunks;
}

function childOf({ run_id, experiment_id, run_name, lifecycle_stage, tags }: Run): ChildRun | undefined {
  const parent = ownValue(tags, PARENT_TAG);
  return parent === undefined ? undefined : { run_id, experiment_id, run_name, lifecycle_stage, parent };
}
