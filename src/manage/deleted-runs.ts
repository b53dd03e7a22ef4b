import type { Experiment, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { PlaceInfo, TagChanges } from '../places/place.ts';

/**
 * Which runs of an experiment were deleted one by one, before it was deleted as a whole. A server revives all runs when it
 * restores the experiment, so their ids are kept: in the undo file, and in tags of the experiment, for other machines.
 */

/** The tag of the snapshot; further ones are `mlferry.deleted_runs.2`, `.3` … Ids are separated by spaces. */
const SNAPSHOT_TAG = 'mlferry.deleted_runs';
/** The snapshot of an experiment without such runs: an empty one is no snapshot (MLflow before 3.0 removes no tag). */
const NONE = 'none';
/** An experiment's tag holds 5000 characters, a run's id has 32. */
const IDS_PER_TAG = 150;
const MOST_TAGS = 100;

const isSnapshotKey = (key: string) => key === SNAPSHOT_TAG || /^mlferry\.deleted_runs\.\d+$/.test(key);

/**
 * Tags that hold the snapshot, and clear what is left of an earlier one; none where there are too many ids for tags, and
 * none in an `mlruns` directory, which tells by its times.
 */
export function snapshotTags(
  kind: PlaceInfo['kind'],
  deleted: readonly string[],
  present: TagChanges,
): TagChanges {
  if (kind !== 'server') return {};
  const count = Math.ceil(deleted.length / IDS_PER_TAG);
  const stale = Object.entries(withoutSnapshot(present));
  if (count > MOST_TAGS || deleted.some((id) => id.length > 32)) return Object.fromEntries(stale);
  const tags = Array.from({ length: count }, (_, index): [string, string] => [
    index === 0 ? SNAPSHOT_TAG : `${SNAPSHOT_TAG}.${index + 1}`,
    deleted.slice(index * IDS_PER_TAG, (index + 1) * IDS_PER_TAG).join(' '),
  ]);
  return Object.fromEntries([...stale, ...(count === 0 ? [[SNAPSHOT_TAG, NONE] as const] : tags)]);
}

/** Removal of all snapshot tags that are there. */
export function withoutSnapshot(present: TagChanges): TagChanges {
  return Object.fromEntries(
    Object.entries(present).flatMap(([key, value]) =>
      isSnapshotKey(key) && value !== '' ? [[key, null]] : [],
    ),
  );
}

/** The snapshot in an experiment's tags; `undefined`: there is none. */
export function readSnapshot(tags: Experiment['tags']): ReadonlySet<string> | undefined {
  if (!ownValue(tags, SNAPSHOT_TAG)) return undefined;
  const ids = Object.entries(tags).flatMap(([key, value]) => (isSnapshotKey(key) ? value.split(' ') : []));
  return new Set(ids.filter((id) => id !== '' && id !== NONE));
}

/**
 * Whether a deleted run was deleted by itself, not with its experiment. An `mlruns` directory tells: runs deleted with the
 * experiment have its own last update time (mlflow/store/tracking/file_store.py). Servers do not: of a deleted experiment
 * only the runs that mlferry deleted are known.
 */
export function isDeletedByItself(run: Run, experiment: Experiment, kind: PlaceInfo['kind']): boolean {
  if (run.lifecycle_stage !== 'deleted') return false;
  const { deleted_time } = run;
  const { last_update_time } = experiment;
  if (experiment.lifecycle_stage === 'active') {
    // An interrupted deletion of the experiment has left such runs.
    return kind !== 'filestore' || deleted_time === undefined || deleted_time !== last_update_time;
  }
  if (deleted_time === undefined || last_update_time === undefined) return false;
  return BigInt(deleted_time) < BigInt(last_update_time);
}
