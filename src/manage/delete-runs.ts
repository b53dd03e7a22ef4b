import { planStage } from './change-stage.ts';
import type { Plan } from './changes.ts';
import { type ChoiceOptions, type ManageReport, manage } from './manage-job.ts';

/** Options of {@link deleteRuns}. */
export interface DeleteRunsOptions extends ChoiceOptions {
  /** Whether runs below the chosen ones (by `mlflow.parentRunId`) are deleted, too. Default true. */
  readonly cascade?: boolean | undefined;
}

/**
 * Deletes runs softly: they can be restored until the place removes them for good (Databricks after 30 days, elsewhere
 * `mlflow gc`). The time is kept in the run (`deleted_time` of an `mlruns` directory, the tag `mlferry.deleted_time` on a
 * server), for {@link restoreRuns}. Interrupted and called again it goes on with the rest.
 */
export function deleteRuns(location: string, options: DeleteRunsOptions): Promise<ManageReport> {
  return manage(location, 'delete-runs', options, async (manager) => {
    const plan = await planStage(manager, 'deleted', options, options.cascade ?? true);
    const bulk = manager.bulk === undefined ? undefined : exactRequest(plan, options);
    return bulk === undefined ? plan : { ...plan, bulk };
  });
}

/** Databricks' delete-runs is asked when the plan is just what it does: all runs of experiments up to a time. */
function exactRequest(
  plan: Plan,
  { selection, createdBefore, createdAfter, deletedAfter }: DeleteRunsOptions,
): Plan['bulk'] {
  const { experiments = [], runs = [], view = 'active', ...search } = selection ?? {};
  const plain =
    createdBefore !== undefined &&
    createdAfter === undefined &&
    deletedAfter === undefined &&
    experiments.length > 0 &&
    runs.length === 0 &&
    view === 'active' &&
    search.filter === undefined &&
    search.experiment_filter === undefined &&
    plan.runs.length < (search.max_runs ?? Number.POSITIVE_INFINITY) &&
    plan.descendants === 0 &&
    plan.left_out.length === 0;
  return plain ? { experiments: [...plan.names.keys()], time: createdBefore } : undefined;
}
