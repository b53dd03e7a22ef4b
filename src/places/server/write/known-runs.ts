import {
  DIGEST_TAG,
  FILES_TAG,
  ORIGIN_PARENT_TAG,
  ORIGIN_TAG,
  originRunId,
} from '../../../model/canonical.ts';
import { modelPaths } from '../../../model/mlflow/model-history.ts';
import { MODEL_HISTORY_TAG } from '../../../model/mlflow/tags.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { TargetRoutes } from './target-routes.ts';

/** Finds copied runs; every MLflow from 2.9 on takes it. */
export const COPIED_RUNS = `tags.\`${ORIGIN_TAG}\` LIKE '%'`;

/** What has to be remembered of a copied run: little, because there can be very many. */
export interface KnownRun {
  readonly run_id: string;
  /** `undefined` while the copy is not complete. */
  readonly digest: string | undefined;
  /** The files that it has had, as a text of a list. */
  readonly files: string | undefined;
  readonly status: Run['status'];
  readonly end_time: Run['end_time'];
  lifecycle_stage: Run['lifecycle_stage'];
  readonly origin_parent: string | undefined;
  /** Where its models are, see {@link modelPaths}. */
  readonly models: ReadonlyMap<string, string> | undefined;
}

/** The part of a target's run that is remembered. */
export function knownRun(run: Run): KnownRun {
  const history = ownValue(run.tags, MODEL_HISTORY_TAG);
  return {
    run_id: run.run_id,
    digest: ownValue(run.tags, DIGEST_TAG) || undefined,
    files: ownValue(run.tags, FILES_TAG),
    status: run.status,
    end_time: run.end_time,
    lifecycle_stage: run.lifecycle_stage,
    origin_parent: ownValue(run.tags, ORIGIN_PARENT_TAG),
    models: history === undefined ? undefined : modelPaths(history),
  };
}

/** Two copies of one source run in an experiment: `run_id` is the one that does not count. */
export interface DuplicateCopy {
  readonly source_run_id: string;
  readonly run_id: string;
}

/**
 * The copied runs of an experiment by their source run_id. Two copies of one run (an older tool, or a create that was
 * thought lost): the complete one counts, else the one that is not deleted, else the first; the other is a duplicate, if it
 * is not deleted.
 */
export async function scanKnownRuns(
  routes: TargetRoutes,
  experiment_id: string,
): Promise<{ known: Map<string, KnownRun>; duplicates: DuplicateCopy[] }> {
  const known = new Map<string, KnownRun>();
  const duplicates: DuplicateCopy[] = [];
  for await (const page of routes.searchRuns([experiment_id], COPIED_RUNS)) {
    for (const run of page) {
      const origin = ownValue(run.tags, ORIGIN_TAG);
      if (origin === undefined) continue;
      const source_run_id = originRunId(origin);
      const found = knownRun(run);
      const other = known.get(source_run_id);
      if (other?.run_id === found.run_id) continue;
      const [kept, duplicate] =
        other === undefined ? [found] : rank(found) > rank(other) ? [found, other] : [other, found];
      known.set(source_run_id, kept);
      if (duplicate?.lifecycle_stage === 'active')
        duplicates.push({ source_run_id, run_id: duplicate.run_id });
    }
  }
  return { known, duplicates };
}

function rank({ digest, lifecycle_stage }: KnownRun): number {
  return (digest === undefined ? 0 : 2) + (lifecycle_stage === 'active' ? 1 : 0);
}
