import type { TagChanges } from '../places/tag-changes.ts';
import { MlferryError } from '../util/errors.ts';
import { type ExperimentChange, NO_PLAN } from './changes.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import type { ExperimentOptions } from './delete-experiments.ts';
import { type ManageReport, manage } from './manage-job.ts';
import { hasTags, tagsBefore } from './tag-state.ts';

/** Sets tags of active experiments; `null` removes one (MLflow before 3.0 cannot: it becomes empty there). Throws USAGE without any. */
export async function tagExperiments(
  location: string,
  tags: TagChanges,
  options: ExperimentOptions,
): Promise<ManageReport> {
  const keys = Object.keys(tags);
  if (keys.length === 0) throw new MlferryError('USAGE', 'No tag is named');
  return manage(location, 'tag-experiments', options, async (manager) => {
    const experiments: ExperimentChange[] = [];
    let unchanged = 0;
    for (const experiment of await chosenExperiments(manager, options.selection)) {
      const { experiment_id, name } = experiment;
      if (hasTags(experiment.tags, tags)) unchanged += 1;
      else {
        const before = { tags: tagsBefore(experiment.tags, keys) };
        experiments.push({ experiment_id, name, runs: 0, before, after: { tags } });
      }
    }
    return { ...NO_PLAN, experiments, unchanged };
  });
}
