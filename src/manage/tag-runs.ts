import { RUN_NAME_TAG } from '../model/mlflow/tags.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import type { TagChanges } from '../places/tag-changes.ts';
import { MlferryError } from '../util/errors.ts';
import { isInState, NO_PLAN, type RunChange } from './changes.ts';
import { chosenRuns, type LeftOutRun } from './chosen-runs.ts';
import { type ChoiceOptions, type ManageReport, manage } from './manage-job.ts';
import { tagsBefore } from './tag-state.ts';

/** Sets tags of active runs; `null` removes one. Throws USAGE without any, and for `mlflow.runName`. */
export async function tagRuns(
  location: string,
  tags: TagChanges,
  options: ChoiceOptions,
): Promise<ManageReport> {
  if (Object.keys(tags).length === 0) throw new MlferryError('USAGE', 'No tag is named');
  if (Object.hasOwn(tags, RUN_NAME_TAG))
    throw new MlferryError('USAGE', 'The tag mlflow.runName is the name of the run', {
      hint: 'Use mlferry runs rename.',
    });
  const keys = Object.keys(tags);
  return manage(location, 'tag-runs', options, async (manager) => {
    const selection = { ...ALL_ACTIVE, ...options.selection };
    const names = new Map<string, string>();
    const runs: RunChange[] = [];
    let unchanged = 0;
    const left_out: LeftOutRun[] = [];
    for await (const { experiment, source } of chosenRuns(manager.reader, selection, options, (run) =>
      left_out.push(run),
    )) {
      const { run_id, experiment_id, run_name } = source.run;
      names.set(experiment_id, experiment.name);
      if (isInState(source.run, { tags })) unchanged += 1;
      else
        runs.push({
          run_id,
          experiment_id,
          run_name,
          level: 0,
          before: { tags: tagsBefore(source.run.tags, keys) },
          after: { tags },
        });
    }
    return { ...NO_PLAN, runs, names, unchanged, left_out };
  });
}
