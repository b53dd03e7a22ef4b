import { isKeyAllowed, prefix } from '../../../model/mlflow/limits.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { SecondPass } from '../../place.ts';
import { canRestore, NOT_DELETED } from '../connect/can-restore.ts';
import type { KnownRun } from './known-runs.ts';
import { linkModels } from './link-models.ts';
import type { ReadBack } from './read-back.ts';
import type { TargetContext } from './target-context.ts';
import type { TargetExperiments } from './target-experiments.ts';
import { unlessMissing } from './target-routes.ts';

/** What the second pass works on. */
export interface SecondPassContext {
  readonly context: TargetContext;
  readonly experiments: TargetExperiments;
  readonly readBack: ReadBack;
  readonly concurrency: number;
}

/** Links and tags first, then deleted runs, then deleted experiments: nothing can be written to what is deleted. */
export async function secondPass(
  { context, experiments, readBack, concurrency }: SecondPassContext,
  pass: SecondPass,
): Promise<void> {
  const { routes, findings } = context;
  const toDelete = new Map(pass.deleted_runs.map(({ run_id, experiment_id }) => [run_id, experiment_id]));

  const knownById = new Map<string, KnownRun>();
  for (const experiment_id of new Set(pass.runs.map((entry) => entry.experiment_id))) {
    for (const known of (await experiments.get(experiment_id).known()).values())
      knownById.set(known.run_id, known);
  }

  await mapConcurrent(pass.runs, concurrency, ({ run_id, experiment_id, tags, links }) =>
    orListed(context, `run ${run_id}`, async () => {
      if (knownById.get(run_id)?.lifecycle_stage === 'deleted') {
        await experiments.get(experiment_id).revive();
        await routes.restoreRun(run_id);
        toDelete.set(run_id, experiment_id);
      }
      if (links !== undefined) await linkModels(context, run_id, links);
      const limits = context.limits();
      const set: Array<{ key: string; value: string }> = [];
      for (const [key, value] of Object.entries(tags)) {
        if (value === null) await unlessMissing(routes.deleteTag(run_id, key));
        // A key that is not allowed was reported when the run was written; so was a value that has to be cut.
        else if (isKeyAllowed(key, limits))
          set.push({ key, value: prefix(value.toWellFormed(), limits.tag) });
      }
      for (let at = 0; at < set.length; at += context.batchLimits.tags) {
        await routes.logBatch(
          run_id,
          { params: [], metrics: [], tags: set.slice(at, at + context.batchLimits.tags) },
          true,
        );
      }
      const removed = Object.entries(tags).filter(([, value]) => value === null);
      readBack.amend(run_id, {
        tags: Object.fromEntries([...set.map(({ key, value }) => [key, value]), ...removed]),
      });
    }),
  );

  const left = toDelete.size + pass.deleted_experiments.length;
  if (left > 0 && routes.changes && !(await canRestore(context.client))) {
    findings.loss({ code: 'NOT_DELETED', count: left, detail: NOT_DELETED });
    return;
  }
  await mapConcurrent(toDelete, concurrency, ([run_id]) =>
    orListed(context, `run ${run_id}`, async () => {
      await routes.deleteRun(run_id);
      readBack.amend(run_id, { deleted: true });
    }),
  );
  const timed = pass.deleted_runs.filter(({ deleted_time }) => deleted_time !== undefined).length;
  if (timed > 0) {
    findings.loss({
      code: 'DELETED_TIME',
      count: timed,
      detail: 'a server sets the time of deletion itself: that of the source is not kept',
    });
  }

  for (const experiment_id of pass.deleted_experiments) {
    await orListed(context, `experiment ${experiment_id}`, async () => {
      const experiment = experiments.get(experiment_id);
      if (!experiment.deleted) await unlessMissing(routes.deleteExperiment(experiment_id));
      experiment.deleted = true;
      readBack.amendExperiment(experiment_id);
    });
  }
}

/** What fails for one object is listed; the others go on. */
async function orListed(
  { findings }: TargetContext,
  object: string,
  task: () => Promise<void>,
): Promise<void> {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof MlferryError) || endsJob(error)) throw error;
    findings.failure({ code: error.code, object, message: error.message, hint: error.hint });
  }
}
