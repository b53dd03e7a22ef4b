import { DIGEST_TAG } from '../../../model/canonical.ts';
import { allowedText, fits } from '../../../model/mlflow/limits.ts';
import type { SecondPass } from '../../place.ts';
import { removeTags, setTags } from './change-run.ts';
import { linkModels } from './link-models.ts';
import type { Target } from './target.ts';
import type { TargetExperiments } from './target-experiments.ts';

/** Runs of one transaction. */
const TOGETHER = 200;

/** The second pass: links to models and tags that needed all runs, deleted runs, and deleted experiments last. A done database is left as it is. */
export async function secondPass(
  target: Target,
  experiments: TargetExperiments,
  pass: SecondPass,
): Promise<void> {
  const { database, transactions } = target;
  for (const runs of parts(pass.runs)) {
    await transactions.run(runs.length, async () => {
      for (const { run_id, tags, links } of runs) {
        if (links !== undefined) await linkModels(target, run_id, links);
        await changeTags(target, run_id, tags);
      }
    });
  }
  const now = Date.now();
  for (const runs of parts(pass.deleted_runs)) {
    await transactions.run(runs.length, async () => {
      for (const { run_id, deleted_time = now } of runs)
        await database.change(
          `UPDATE "runs" SET "lifecycle_stage" = 'deleted', "deleted_time" = ?` +
            ` WHERE "run_uuid" = ? AND COALESCE("lifecycle_stage", 'active') = 'active'`,
          [deleted_time, run_id],
        );
    });
  }
  for (const id of pass.deleted_experiments) {
    const experiment = experiments.get(id);
    if (experiment.deleted) continue;
    const { lifecycle_stage, last_update_time = now } = experiment.source;
    await transactions.run(1, async () => {
      await database.change(
        `UPDATE "experiments" SET "lifecycle_stage" = 'deleted', "last_update_time" = ? WHERE "experiment_id" = ?`,
        [lifecycle_stage === 'deleted' ? last_update_time : now, id],
      );
      // As MLflow does it: its active runs go with it.
      await database.change(
        `UPDATE "runs" SET "lifecycle_stage" = 'deleted', "deleted_time" = ?` +
          ` WHERE "experiment_id" = ? AND COALESCE("lifecycle_stage", 'active') = 'active'`,
        [now, id],
      );
    });
    experiment.deleted = true;
  }
}

async function changeTags(
  target: Target,
  run_id: string,
  tags: Readonly<Record<string, string | null>>,
): Promise<void> {
  const { limits, findings } = target;
  const entries = Object.entries(tags);
  const set = entries.flatMap(([key, value]) => (value === null ? [] : [[key, value] as const]));
  await removeTags(
    target,
    run_id,
    entries.flatMap(([key, value]) => (value === null ? [key] : [])),
  );
  const isHeld = ([, value]: readonly [string, string]) =>
    fits(value, limits.tag) && allowedText(value, limits) === value;
  for (const [key] of set.filter((tag) => !isHeld(tag))) {
    const detail = 'the tag, with the ids of the target, is more than the target can hold';
    findings.loss({ code: 'TAG_TOO_LONG', left_behind: true, run_id, key, detail });
  }
  // The digest says that the run is complete, so it comes last.
  const ordered = set
    .filter(isHeld)
    .toSorted(([a], [b]) => Number(a === DIGEST_TAG) - Number(b === DIGEST_TAG));
  await setTags(target, run_id, Object.fromEntries(ordered));
}

function* parts<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let at = 0; at < items.length; at += TOGETHER) yield items.slice(at, at + TOGETHER);
}
