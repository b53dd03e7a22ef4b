import type { Experiment } from '../model/records.ts';
import type { Manager } from '../places/manager.ts';
import { type ExperimentChange, NO_PLAN } from './changes.ts';
import { chosenExperiments, countRuns } from './chosen-experiments.ts';
import type { ExperimentOptions } from './delete-experiments.ts';
import { readSnapshot, withoutSnapshot } from './deleted-runs.ts';
import { type ManageReport, manage } from './manage-job.ts';
import { readRuns } from './read-runs.ts';

/**
 * Restores deleted experiments and the runs that were deleted with them. A server revives all runs; those that had been
 * deleted one by one before are deleted again, as the snapshot says that {@link deleteExperiments} took. Without one (the
 * experiment was deleted by something else) an `mlruns` directory tells by its times; of a server only runs are known that
 * mlferry deleted, of a database hardly any, and the report says so.
 */
export function restoreExperiments(location: string, options: ExperimentOptions): Promise<ManageReport> {
  return manage(location, 'restore-experiments', options, async (manager) => {
    const experiments: ExperimentChange[] = [];
    const notes: string[] = [];
    let unchanged = 0;
    const selection = { ...options.selection, view: 'all' } as const;
    for (const experiment of await chosenExperiments(manager, selection)) {
      const change = await restoration(manager, experiment, notes);
      if (change === undefined) unchanged += 1;
      else experiments.push(change);
    }
    return { ...NO_PLAN, experiments, unchanged, notes };
  });
}

/** What restoring an experiment means; `undefined`: it is active and nothing is left to be done. */
async function restoration(
  manager: Manager,
  experiment: Experiment,
  notes: string[],
): Promise<ExperimentChange | undefined> {
  const { experiment_id, name, lifecycle_stage, tags } = experiment;
  const snapshot = readSnapshot(tags);
  if (lifecycle_stage === 'active') {
    // An interrupted restoration has left its snapshot: the runs in it are still to be deleted again.
    if (snapshot === undefined) return undefined;
    const runs = await readRuns(
      manager.reader,
      [...snapshot].map((run_id) => ({ run_id, experiment_id })),
    );
    const deleted = [...runs.keys()];
    const before = { lifecycle_stage, deleted_runs: deleted };
    return {
      experiment_id,
      name,
      runs: 0,
      before,
      after: { lifecycle_stage: 'active', deleted_runs: deleted, tags: withoutSnapshot(tags) },
    };
  }
  const { deleted, byThemselves: stay } = await countRuns(manager, experiment);
  const { knowsDeletionTimes, overwritesDeletionTimes = false } = manager.reader.traits;
  if (snapshot === undefined && (!knowsDeletionTimes || overwritesDeletionTimes)) {
    notes.push(
      `experiment "${name}" was not deleted by mlferry: which of its ${deleted} runs had been deleted before is not known${stay.length > 0 ? `, but for ${stay.length}${overwritesDeletionTimes ? '' : ' that mlferry deleted'}` : ''}; the others all come back`,
    );
  } else if (stay.length > 0) {
    notes.push(`experiment "${name}": ${stay.length} runs had been deleted before it and stay deleted`);
  }
  return {
    experiment_id,
    name,
    runs: deleted - stay.length,
    before: { lifecycle_stage, deleted_runs: stay },
    after: { lifecycle_stage: 'active', deleted_runs: stay, tags: withoutSnapshot(tags) },
  };
}
