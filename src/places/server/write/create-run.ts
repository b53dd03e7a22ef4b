import { ORIGIN_TAG, originRunId } from '../../../model/canonical.ts';
import { fitRun, tagsForCreateOnly } from '../../../model/fit-run.ts';
import type { Run } from '../../../model/records.ts';
import { createOnce } from './create-once.ts';
import { runsOfOrigin } from './find-copied-runs.ts';
import { knownRun } from './known-runs.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState } from './target-experiments.ts';

/**
 * Creates the copy of a run: times, user and name, and `mlferry.origin`, by which it is found when the answer gets lost.
 * In a dry run it is only made up.
 */
export async function createRun(
  context: TargetContext,
  experiment: ExperimentState,
  source: Run,
  origin: string,
): Promise<Run> {
  const { routes } = context;
  const { experiment_id } = experiment;
  const limits = context.limits();
  const { run_name, user_id } = fitRun({ ...source, params: {}, dataset_inputs: [] }, limits).run;
  const unusual = context.store === 'SqlStore' ? tagsForCreateOnly(source.tags, limits) : {};
  const tags = { ...unusual, [ORIGIN_TAG]: origin };
  const { start_time } = source;
  if (!routes.changes) {
    const { artifact_location } = experiment;
    const run_id = `new run ${source.run_id}`;
    const artifact_uri =
      artifact_location === '' ? 'mlflow-artifacts:/' : `${artifact_location}/${run_id}/artifacts`;
    const nothing = { params: {}, dataset_inputs: [], latest_metrics: {}, end_time: null };
    return {
      ...source,
      ...nothing,
      run_id,
      experiment_id,
      run_name,
      user_id,
      tags,
      artifact_uri,
      status: 'RUNNING',
      lifecycle_stage: 'active',
    };
  }
  await experiment.revive();
  const created = await createOnce(
    () => routes.createRun({ experiment_id, run_name, user_id, start_time, tags }),
    async () => (await runsOfOrigin(routes, experiment_id, origin))[0],
    context,
    () => void experiment.suspects.set(originRunId(origin), origin),
  );
  // A second try after a refusal goes on with this run.
  (await experiment.known()).set(originRunId(origin), knownRun(created));
  return created;
}
