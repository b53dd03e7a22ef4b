import { DELETED_RUNS_TAG, isDeletedRunsTag } from '../model/canonical.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { TagChanges } from '../places/tag-changes.ts';
import type { PlaceTraits } from '../places/traits.ts';

/**
 * Which runs of an experiment were deleted one by one, before it was deleted as a whole. A server revives all runs when it
 * restores the experiment, so their ids are kept: in the undo file, and in tags of the experiment, for other machines.
 */

/** The snapshot of an experiment without such runs: an empty one is no snapshot (MLflow before 3.0 removes no tag). */
const NONE = 'none';
/** An experiment's tag holds 5000 characters, a run's id has 32. */
const IDS_PER_TAG = 150;
const MOST_TAGS = 100;

/** Tags that hold the snapshot, and clear what is left of an earlier one; none where there are too many ids for tags. */
export function snapshotTags(deleted: readonly string[], present: TagChanges): TagChanges {
  const count = Math.ceil(deleted.length / IDS_PER_TAG);
  const stale = Object.entries(withoutSnapshot(present));
  if (count > MOST_TAGS || deleted.some((id) => id.length > 32)) return Object.fromEntries(stale);
  const tags = Array.from({ length: count }, (_, index): [string, string] => [
    index === 0 ? DELETED_RUNS_TAG : `${DELETED_RUNS_TAG}.${index + 1}`,
    deleted.slice(index * IDS_PER_TAG, (index + 1) * IDS_PER_TAG).join(' '),
  ]);
  return Object.fromEntries([...stale, ...(count === 0 ? [[DELETED_RUNS_TAG, NONE] as const] : tags)]);
}

/** Removal of all snapshot tags that are there. */
export function withoutSnapshot(present: TagChanges): TagChanges {
  return Object.fromEntries(
    Object.entries(present).flatMap(([key, value]) =>
      isDeletedRunsTag(key) && value !== '' ? [[key, null]] : [],
    ),
  );
}

/** The snapshot in an experiment's tags; `undefined`: there is none. */
export function readSnapshot(tags: Experiment['tags']): ReadonlySet<string> | undefined {
  if (!ownValue(tags, DELETED_RUNS_TAG)) return undefined;
  const ids = Object.entries(tags).flatMap(([key, value]) => (isDeletedRunsTag(key) ? value.split(' ') : []));
  return new Set(ids.filter((id) => id !== '' && id !== NONE));
}

/**
 * Whether a deleted run was deleted by itself, not with its experiment. Of a deleted experiment the snapshot tells; without
 * one the times do, where the place knows them (runs deleted with the experiment have its last update time); elsewhere only
 * the runs are known that mlferry deleted.
 */
export function isDeletedByItself(
  run: Run,
  experiment: Experiment,
  { knowsDeletionTimes }: PlaceTraits,
): boolean {
  if (run.lifecycle_stage !== 'deleted') return false;
  const snapshot = readSnapshot(experiment.tags);
  const { deleted_time } = run;
  const { last_update_time } = experiment;
  if (snapshot?.has(run.run_id)) return true;
  if (experiment.lifecycle_stage === 'active') {
    // A deletion of the experiment that was interrupted has left a snapshot, and such runs in a directory.
    return snapshot === undefined || !knowsDeletionTimes || deleted_time !== last_update_time;
  }
  if (snapshot !== undefined || deleted_time === undefined || last_update_time === undefined) return false;
  return BigInt(deleted_time) < BigInt(last_update_time);
}
