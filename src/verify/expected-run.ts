import type { KindIds } from '../kinds/id-map.ts';
import { linksMissing, linksOf, remapLinks, remapModelsIn, withLinks } from '../kinds/model-links.ts';
import { type RunIds, referenceKept, references, remapRun, remapTag, runReferences } from '../kinds/remap.ts';
import {
  COPY_TAG,
  DELETED_TIME_TAG,
  DIGEST_TAG,
  FILES_TAG,
  ORIGIN_PARENT_TAG,
  ORIGIN_TAG,
} from '../model/canonical.ts';
import type { RunLoss } from '../model/fit-run.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { Representation, RepresentedRun } from '../places/representation.ts';

/** What is known of a run's copy besides its record. */
export interface CopyFrame {
  /** Source id → target id of all runs that are on the target. */
  readonly runIds: RunIds;
  /** Source id → target id of the logged models that are on the target. */
  readonly modelIds: Pick<KindIds, 'get'>;
  /** The record is the source's own, ids included: an archive, a stream, or the very run that was archived. */
  readonly kept: boolean;
  /** The experiment is deleted at the source, so all its runs are deleted on the target. */
  readonly inDeletedExperiment: boolean;
  /** Absent: the target holds every record as it is. */
  readonly representation: Representation | undefined;
}

/**
 * What the target must hold of a run: the source's record in the target's ids, fitted to what the target can hold, in
 * each form that would be right. `present` is what it holds; mlferry's own bookkeeping tags are taken over from it.
 */
export function expectedRun(
  source: Run,
  present: Run,
  { runIds, modelIds, kept, inDeletedExperiment, representation }: CopyFrame,
): readonly [RepresentedRun, ...RepresentedRun[]] {
  if (kept) return [{ run: source, losses: [], spills: false }];
  const own = {
    run_id: present.run_id,
    experiment_id: present.experiment_id,
    artifact_uri: present.artifact_uri,
  };
  const remapped = remapRun(source, own, runIds);
  const losses: RunLoss[] = [];
  const { links, missing } = remapLinks(linksOf(remapped), modelIds);
  if (missing.length > 0) losses.push(linksMissing(source, '', missing));
  const tags = withOpenReferences(source, remapped.tags, present, own, runIds, losses);
  const wanted: Run = {
    ...withLinks(remapped, links),
    tags: Object.fromEntries(
      Object.entries(tags).map(([key, value]) => [key, remapModelsIn(value, modelIds)]),
    ),
    dataset_inputs: withKeptSources(source, remapped, present, own),
    ...(inDeletedExperiment && representation !== undefined ? { lifecycle_stage: 'deleted' as const } : {}),
  };
  losses.push(...keptInputs(source, runIds));
  const [first, ...others] = representation?.run(wanted, present) ?? [
    { run: wanted, losses: [], spills: false },
  ];
  const finish = (held: RepresentedRun): RepresentedRun => ({
    ...held,
    losses: [...losses, ...held.losses],
    run: { ...held.run, tags: withBookkeeping(held.run.tags, present.tags) },
  });
  return [finish(first), ...others.map(finish)];
}

/** References to runs that are not on the target, or were not when the run was copied, keep the source's id. */
function withOpenReferences(
  source: Run,
  remapped: Run['tags'],
  present: Run,
  own: Pick<Run, 'run_id' | 'experiment_id' | 'artifact_uri'>,
  runIds: RunIds,
  losses: RunLoss[],
): Run['tags'] {
  const tags = new Map(Object.entries(remapped));
  const parent = ownValue(source.tags, PARENT_TAG);
  const parentIsOpen =
    parent !== undefined &&
    ownValue(present.tags, ORIGIN_PARENT_TAG) === parent &&
    ownValue(present.tags, PARENT_TAG) === undefined;
  if (parentIsOpen) {
    tags.delete(PARENT_TAG);
    tags.set(ORIGIN_PARENT_TAG, parent);
  }
  if (parent !== undefined && !tags.has(PARENT_TAG)) {
    losses.push({
      code: 'PARENT_NOT_COPIED',
      key: PARENT_TAG,
      detail: `its parent ${parent} is not on the target; the id is kept in the tag ${ORIGIN_PARENT_TAG}`,
    });
  }
  for (const [key, ids] of runReferences(source).tags) {
    if (key === PARENT_TAG) continue;
    const value = ownValue(source.tags, key) ?? '';
    const unmended = remapTag(key, value, source, own, new Map());
    const kept =
      unmended !== undefined && ownValue(present.tags, key) === unmended
        ? ids
        : ids.filter((id) => !runIds.has(id));
    if (kept === ids && unmended !== undefined) tags.set(key, unmended);
    if (kept.length > 0 && !kept.every((id) => runIds.get(id) === id))
      losses.push(referenceLoss(source, key, kept));
  }
  return Object.fromEntries(tags);
}

/** The sources of datasets in the target's ids, or in the source's where the run they name came later. */
function withKeptSources(
  source: Run,
  remapped: Run,
  present: Run,
  own: Pick<Run, 'run_id' | 'experiment_id' | 'artifact_uri'>,
): Run['dataset_inputs'] {
  const unmended = remapRun(source, own, new Map()).dataset_inputs;
  const there = new Set(present.dataset_inputs.map(({ dataset }) => dataset.source));
  return remapped.dataset_inputs.map((input, index) => {
    const other = unmended[index];
    return other !== undefined && !there.has(input.dataset.source) && there.has(other.dataset.source)
      ? other
      : input;
  });
}

function keptInputs(source: Run, runIds: RunIds): RunLoss[] {
  const kept = source.dataset_inputs
    .flatMap(({ dataset }) => references('', dataset.source))
    .filter((id) => id !== source.run_id && !runIds.has(id));
  return kept.length === 0 ? [] : [referenceLoss(source, 'dataset input', kept)];
}

function referenceLoss(source: Run, key: string, ids: readonly string[]): RunLoss {
  const { experiment_name: _, run_id: __, ...loss } = referenceKept('', source.run_id, key, ids);
  return loss;
}

function withBookkeeping(tags: Run['tags'], present: Run['tags']): Run['tags'] {
  const own = [ORIGIN_TAG, DIGEST_TAG, FILES_TAG, COPY_TAG, DELETED_TIME_TAG].flatMap((key) => {
    const value = ownValue(present, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  return Object.fromEntries([...Object.entries(tags), ...own]);
}
