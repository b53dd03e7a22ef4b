import { ALL_ACTIVE } from '../model/selection.ts';
import { MlferryError } from '../util/errors.ts';
import { NO_PLAN, type Plan } from './changes.ts';
import { chosenRuns } from './chosen-runs.ts';
import { type ManageOptions, type ManageReport, manage } from './manage-job.ts';

/** Gives a run, named by its id or the beginning of it, another name. Throws USAGE for an empty one; a run that is not there is a failure of the report. */
export async function renameRun(
  location: string,
  run_id: string,
  run_name: string,
  options: ManageOptions = {},
): Promise<ManageReport> {
  if (run_name === '') throw new MlferryError('USAGE', 'A run needs a name');
  return manage(location, 'rename-run', options, async (manager) => {
    let plan: Plan = NO_PLAN;
    const selection = { ...ALL_ACTIVE, runs: [run_id] };
    for await (const { experiment, source } of chosenRuns(manager.reader, selection)) {
      const { run_id: id, experiment_id, run_name: old } = source.run;
      const change = { run_id: id, experiment_id, run_name: old, level: 0 };
      plan = {
        ...NO_PLAN,
        names: new Map([[experiment_id, experiment.name]]),
        unchanged: old === run_name ? 1 : 0,
        runs: old === run_name ? [] : [{ ...change, before: { run_name: old }, after: { run_name } }],
      };
    }
    return plan;
  });
}
