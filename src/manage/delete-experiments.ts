import type { CopyRules } from '../job/job-options.ts';
import { type ExperimentChange, NO_PLAN } from './changes.ts';
import { chosenExperiments, countRuns } from './chosen-experiments.ts';
import { snapshotTags } from './deleted-runs.ts';
import { type ManageOptions, type ManageReport, manage } from './manage-job.ts';

/** Options of commands that choose experiments. */
export interface ExperimentOptions extends ManageOptions {
  readonly selection?: CopyRules['selection'];
}

/**
 * Deletes experiments softly, with their active runs. Which runs had been deleted before is kept (in the undo file, in the
 * experiment's tags `mlferry.deleted_runs` on a server), so that {@link restoreExperiments} leaves those deleted.
 */
export function deleteExperiments(location: string, options: ExperimentOptions): Promise<ManageReport> {
  return manage(location, 'delete-experiments', options, async (manager) => {
    const experiments: ExperimentChange[] = [];
    let unchanged = 0;
    for (const experiment of await chosenExperiments(manager, options.selection)) {
      const { experiment_id, name, lifecycle_stage, tags } = experiment;
      if (lifecycle_stage === 'deleted') {
        unchanged += 1;
        continue;
      }
      const { active, byThemselves } = await countRuns(manager, experiment);
      experiments.push({
        experiment_id,
        name,
        runs: active,
        before: { lifecycle_stage, deleted_runs: byThemselves },
        after: { lifecycle_stage: 'deleted', tags: snapshotTags(byThemselves, tags) },
      });
    }
    return { ...NO_PLAN, experiments, unchanged };
  });
}
