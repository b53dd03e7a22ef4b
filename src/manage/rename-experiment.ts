import { MlferryError } from '../util/errors.ts';
import { NO_PLAN } from './changes.ts';
import { chosenExperiments, namedExperiment } from './chosen-experiments.ts';
import { type ManageOptions, type ManageReport, manage } from './manage-job.ts';

/** Gives an experiment (by name or id) another name. Throws USAGE for an empty one, CONFLICT when it is taken. */
export async function renameExperiment(
  location: string,
  experiment: string,
  name: string,
  options: ManageOptions = {},
): Promise<ManageReport> {
  if (name === '') throw new MlferryError('USAGE', 'An experiment needs a name');
  return manage(location, 'rename-experiment', options, async (manager) => {
    const found = await namedExperiment(manager, experiment);
    if (found === undefined) return NO_PLAN;
    if (found.name === name) return { ...NO_PLAN, unchanged: 1 };
    // A directory has no index of names: MLflow's own store looks, too.
    const taken = (await chosenExperiments(manager, { view: 'all' })).find((other) => other.name === name);
    if (taken !== undefined)
      throw new MlferryError(
        'CONFLICT',
        `There is an experiment ${JSON.stringify(name)} already (${taken.experiment_id}, ${taken.lifecycle_stage})`,
        { hint: 'Choose another name.' },
      );
    const { experiment_id } = found;
    const change = {
      experiment_id,
      name: found.name,
      runs: 0,
      before: { name: found.name },
      after: { name },
    };
    return { ...NO_PLAN, experiments: [change] };
  });
}
