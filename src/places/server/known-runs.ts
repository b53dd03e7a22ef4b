import { DIGEST_TAG, ORIGIN_PARENT_TAG, ORIGIN_TAG, originRunId } from '../../model/canonical.ts';
import type { Findings } from '../../model/findings.ts';
import type { Run } from '../../model/records.ts';
import { ownValue } from '../../model/string-map.ts';
import type { TargetRoutes } from './target-routes.ts';

/** Finds copied runs; every MLflow from 2.9 on takes it. */
export const COPIED_RUNS = `tags.\`${ORIGIN_TAG}\` LIKE '%'`;

/** What has to be remembered of a copied run: little, because there can be very many. */
export interface KnownRun {
  readonly run_id: string;
  /** `undefined` while the copy is not complete. */
  readonly digest: string | undefined;
  readonly status: Run['status'];
  readonly end_time: Run['end_time'];
  lifecycle_stage: Run['lifecycle_stage'];
  readonly origin_parent: string | undefined;
}

/** The part of a target's run that is remembered. */
export function knownRun(run: Run): KnownRun {
  return {
    run_id: run.run_id,
    digest: ownValue(run.tags, DIGEST_TAG) || undefined,
    status: run.status,
    end_time: run.end_time,
    lifecycle_stage: run.lifecycle_stage,
    origin_parent: ownValue(run.tags, ORIGIN_PARENT_TAG),
  };
}

/**
 * The copied runs of an experiment by their source run_id. Two copies of one run (an older tool, or a create whose
 * answer was lost for good): the complete one counts, else the one that is not deleted, else the first; the other is
 * reported, never removed.
 */
export async function scanKnownRuns(
  routes: TargetRoutes,
  experiment: { experiment_id: string; name: string },
  findings: Findings,
): Promise<Map<string, KnownRun>> {
  const known = new Map<string, KnownRun>();
  for await (const page of routes.searchRuns([experiment.experiment_id], COPIED_RUNS)) {
    for (const run of page) {
      const origin = ownValue(run.tags, ORIGIN_TAG);
      if (origin === undefined) continue;
      const id = originRunId(origin);
      const found = knownRun(run);
      const other = known.get(id);
      if (other === undefined) known.set(id, found);
      else if (other.run_id !== found.run_id) known.set(id, better(other, found, experiment.name, findings));
    }
  }
  return known;
}

function better(first: KnownRun, second: KnownRun, experiment: string, findings: Findings): KnownRun {
  const rank = ({ digest, lifecycle_stage }: KnownRun) =>
    (digest === undefined ? 0 : 2) + (lifecycle_stage === 'active' ? 1 : 0);
  const [kept, other] = rank(second) > rank(first) ? [second, first] : [first, second];
  if (other.lifecycle_stage === 'active') {
    findings.failure({
      code: 'MISMATCH',
      object: `run ${other.run_id} of experiment "${experiment}"`,
      message: `Runs ${kept.run_id} and ${other.run_id} of the target are copies of the same run; only ${kept.run_id} is kept up to date`,
      hint: `Delete run ${other.run_id} on the target if nobody needs it.`,
    });
  }
  return kept;
}
