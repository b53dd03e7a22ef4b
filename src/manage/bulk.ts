import type { Manager } from '../places/manager.ts';
import { MlferryError } from '../util/errors.ts';
import type { Plan, RunChange } from './changes.ts';
import type { CarryOut, Outcome } from './outcome.ts';
import { readRuns } from './read-runs.ts';

/** So many runs more than planned, and something is wrong. */
const TOO_MANY = 100_000;

/**
 * Lets the place delete or restore by time, as often as it takes. What it counts as the time of creation or deletion is not
 * documented, so its answer is compared with the plan: planned runs that it did not delete are left to be deleted one by
 * one; runs that it changed beyond the plan are a failure that says how many. Returns the runs that are left.
 */
export async function carryOutInBulk(
  plan: Plan,
  { experiments, time }: NonNullable<Plan['bulk']>,
  job: CarryOut,
  outcome: Outcome,
): Promise<readonly RunChange[]> {
  const { manager, findings } = job;
  const { bulk } = manager;
  if (bulk === undefined) return plan.runs;
  const deletes = plan.runs.some(({ after }) => after.lifecycle_stage === 'deleted');
  let told = 0;
  for (const experiment_id of experiments) {
    const once = () =>
      deletes ? bulk.deleteRuns(experiment_id, time) : bulk.restoreRuns(experiment_id, time);
    // A place that never comes to an end is not asked for ever.
    const enough = plan.runs.length + TOO_MANY;
    for (let answer = { count: 0, full: true }; answer.full && told < enough; ) {
      answer = await once();
      told += answer.count;
      job.progress(told);
    }
  }
  const changed = await changedRuns(manager, plan.runs);
  outcome.changed += changed.size;
  if (told > changed.size) {
    const more = told - changed.size;
    const { message, hint } = new MlferryError(
      'MISMATCH',
      `Databricks ${deletes ? 'deleted' : 'restored'} ${more} runs more than its own search had listed for this time`,
      { hint: 'They are not in the undo file. Look at the experiments before anything else is done.' },
    );
    outcome.failed += more;
    findings.failure({ code: 'MISMATCH', object: `experiments ${experiments.join(', ')}`, message, hint });
  }
  // Which runs were deleted since then only Databricks knows: what it did not restore was not asked for.
  return deletes ? plan.runs.filter(({ run_id }) => !changed.has(run_id)) : [];
}

async function changedRuns(manager: Manager, runs: readonly RunChange[]): Promise<Set<string>> {
  const now = await readRuns(manager.reader, runs);
  return new Set(
    runs.flatMap(({ run_id, after }) =>
      now.get(run_id)?.lifecycle_stage === after.lifecycle_stage ? [run_id] : [],
    ),
  );
}
