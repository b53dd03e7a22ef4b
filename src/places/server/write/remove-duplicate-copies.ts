import { DIGEST_TAG, DUPLICATE_COPY_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import { isKeyAllowed } from '../../../model/mlflow/limits.ts';
import { RUN_NAME_TAG, USER_TAG } from '../../../model/mlflow/tags.ts';
import type { Run } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { runOwner } from '../connect/owner.ts';
import { runsOfOrigin } from './find-copied-runs.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState } from './target-experiments.ts';
import { unlessMissing } from './target-routes.ts';

/** Tags that a create sets by itself, and the one that a broken pass may have left on a duplicate. */
const OWN_TAGS = new Set([ORIGIN_TAG, DUPLICATE_COPY_TAG, RUN_NAME_TAG, USER_TAG]);

/** A second copy, and the run of the source that it is a copy of. */
interface SecondCopy {
  readonly source_run_id: string;
  /** The copy that counts. */
  readonly kept: string;
  readonly run_id: string;
  /** Whether nothing was written to it. */
  readonly empty: boolean;
}

/**
 * A create that was thought lost and was sent again may land all the same, and then a source run has two copies. The one
 * that nothing was written to is deleted (softly, as a server does) and reported as a loss; of two that both hold
 * something, neither is touched, and that is a MISMATCH. To be called when all else is done: nothing lands in an
 * experiment that is deleted, so what is there then is all.
 */
export async function removeDuplicateCopies(
  context: TargetContext,
  experiment: ExperimentState,
): Promise<void> {
  const { routes, findings } = context;
  const { deleted, experiment_id } = experiment;
  const copies = await secondCopies(context, experiment);
  if (copies.length === 0) return;
  // Nothing can be written to what is deleted; deleting the experiment again deletes all its runs again.
  if (deleted) await experiment.revive();
  for (const { source_run_id, kept, run_id, empty } of copies) {
    if (empty) {
      if (routes.changes) {
        const tags = [{ key: DUPLICATE_COPY_TAG, value: kept }];
        await routes.logBatch(run_id, { params: [], metrics: [], tags }, true);
        await routes.deleteRun(run_id);
      }
      findings.loss({
        code: 'TWIN_DELETED',
        experiment_name: experiment.name,
        run_id: source_run_id,
        detail: `a create whose answer was lost had made a second, empty copy, ${run_id}: it was deleted, ${kept} is the copy`,
      });
      continue;
    }
    const { code, hint } = new MlferryError('MISMATCH', '', {
      hint: `Delete run ${run_id} on the target if nobody needs it.`,
    });
    findings.failure({
      code,
      object: `run ${run_id} of experiment "${experiment.name}"`,
      message: `Runs ${kept} and ${run_id} of the target are copies of the same run; only ${kept} is kept up to date`,
      hint,
    });
  }
  if (deleted) {
    await unlessMissing(routes.deleteExperiment(experiment_id));
    experiment.deleted = true;
  }
}

/** Those that the scan found, and those of runs that may have been created twice; what was deleted before is none. */
async function secondCopies(context: TargetContext, experiment: ExperimentState): Promise<SecondCopy[]> {
  const { routes } = context;
  if (experiment.suspects.size + experiment.duplicates.length === 0) return [];
  const found = new Map<string, { source_run_id: string; run: Run }>();
  for (const { source_run_id, run_id } of experiment.duplicates)
    found.set(run_id, { source_run_id, run: await routes.getRun(run_id) });
  for (const [source_run_id, origin] of experiment.suspects) {
    for (const run of await runsOfOrigin(routes, experiment.experiment_id, origin))
      found.set(run.run_id, { source_run_id, run });
  }
  const known = await experiment.known();
  const copies: SecondCopy[] = [];
  for (const { source_run_id, run } of found.values()) {
    const kept = known.get(source_run_id)?.run_id;
    if (kept === undefined || kept === run.run_id) continue;
    // One that landed just before its experiment was deleted is deleted with it.
    const wentAlong = experiment.deleted && !Object.hasOwn(run.tags, DUPLICATE_COPY_TAG);
    if (run.lifecycle_stage !== 'active' && !wentAlong) continue;
    const empty = await isEmpty(context, run);
    // What holds something and is deleted may have been deleted long before.
    if (run.lifecycle_stage === 'active' || empty)
      copies.push({ source_run_id, kept, run_id: run.run_id, empty });
  }
  return copies;
}

/** Whether a run is as its create left it. */
async function isEmpty({ routes, limits }: TargetContext, run: Run): Promise<boolean> {
  const { status, end_time, params, latest_metrics, dataset_inputs, tags } = run;
  const isNew = status === 'RUNNING' && end_time === null && !Object.hasOwn(tags, DIGEST_TAG);
  const held = [params, latest_metrics, dataset_inputs].flatMap((part) => Object.keys(part));
  const ownTags = Object.keys(tags).filter((key) => !OWN_TAGS.has(key) && isKeyAllowed(key, limits()));
  if (!isNew || held.length > 0 || ownTags.length > 0) return false;
  return (await routes.listArtifacts(runOwner(run), '')).length === 0;
}
