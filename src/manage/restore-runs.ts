import type { Manager } from '../places/manager.ts';
import { planStage } from './change-stage.ts';
import type { Plan } from './changes.ts';
import { type ChoiceOptions, type ManageReport, manage } from './manage-job.ts';

/** Options of {@link restoreRuns}. */
export interface RestoreRunsOptions extends ChoiceOptions {
  /** Whether deleted runs below the chosen ones (by `mlflow.parentRunId`) are restored, too. Default false. */
  readonly cascade?: boolean | undefined;
}

/**
 * Restores deleted runs. `deletedAfter` needs the time of the deletion: an `mlruns` directory has it, Databricks knows it,
 * on other servers it is known of the runs that mlferry deleted; the others are left out and named.
 */
export function restoreRuns(location: string, options: RestoreRunsOptions): Promise<ManageReport> {
  return manage(location, 'restore-runs', options, async (manager) => {
    const cascade = options.cascade ?? false;
    if (manager.bulk !== undefined && isExactRequest(options, cascade)) return planBulk(manager, options);
    return planStage(manager, 'active', options, cascade);
  });
}

/** Whether it is just what Databricks' restore-runs does: all runs of experiments deleted since a time. */
function isExactRequest(options: RestoreRunsOptions, cascade: boolean): boolean {
  const { experiments = [], runs = [], view = 'deleted', ...search } = options.selection ?? {};
  return (
    !cascade &&
    options.deletedAfter !== undefined &&
    options.createdBefore === undefined &&
    options.createdAfter === undefined &&
    experiments.length > 0 &&
    runs.length === 0 &&
    view === 'deleted' &&
    search.filter === undefined &&
    search.experiment_filter === undefined &&
    search.max_runs === undefined
  );
}

/** All deleted runs are in the plan: which of them were deleted since then only Databricks knows. */
async function planBulk(manager: Manager, options: RestoreRunsOptions): Promise<Plan> {
  const { deletedAfter: time = 0, ...rest } = options;
  const plan = await planStage(manager, 'active', { ...rest, deletedAfter: undefined }, false);
  const note =
    'Databricks alone knows when runs were deleted: it restores those of this time among the ones shown';
  return { ...plan, bulk: { experiments: [...plan.names.keys()], time }, notes: [note] };
}
