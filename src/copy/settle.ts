import { DIGEST_TAG, ORIGIN_PARENT_TAG } from '../model/canonical.ts';
import type { Loss } from '../model/findings.ts';
import type { Settlement, Writer } from '../places/place.ts';
import { type OwnIds, PARENT_TAG, type RunIds, references, remapTag, type SourceIds } from './remap.ts';

/** Tags of a copied run that refer to runs which were not on the target when it was written. */
export interface OpenReferences {
  readonly source: SourceIds;
  readonly own: OwnIds;
  readonly experiment_name: string;
  /** Key → value at the source. */
  readonly tags: ReadonlyMap<string, string>;
  /** To be set now that the run is complete; undefined when it already is. */
  readonly digest: string | undefined;
}

/**
 * The tags to set in the second pass. Parents outside the selection are looked up on the target; one that is not
 * there stays under `mlferry.origin_parent` and is a loss.
 */
export async function settlementOf(
  open: readonly OpenReferences[],
  runIds: RunIds,
  writer: Pick<Writer, 'findRun'>,
): Promise<{ tags: Settlement['tags']; losses: Loss[] }> {
  const ids = new Map(runIds);
  const absent = new Set<string>();
  const tags: Array<Settlement['tags'][number]> = [];
  const losses: Loss[] = [];
  for (const { source, own, experiment_name, tags: openTags, digest } of open) {
    const set: Array<[string, string | null]> = [];
    for (const [key, value] of openTags) {
      if (key !== PARENT_TAG) {
        set.push([key, remapTag(key, value, source, own, ids) ?? value]);
        const kept = references(key, value).filter((id) => id !== source.run_id && !ids.has(id));
        if (kept.length > 0) losses.push(referenceKept(experiment_name, source.run_id, key, kept));
        continue;
      }
      if (!ids.has(value) && !absent.has(value)) {
        const found = await writer.findRun?.(value);
        if (found === undefined) absent.add(value);
        else ids.set(value, found);
      }
      const parent = ids.get(value);
      if (parent !== undefined) set.push([PARENT_TAG, parent], [ORIGIN_PARENT_TAG, null]);
      else {
        losses.push({
          code: 'PARENT_NOT_COPIED',
          experiment_name,
          run_id: source.run_id,
          key: PARENT_TAG,
          detail: `its parent ${value} is not on the target; the id is kept in the tag ${ORIGIN_PARENT_TAG}`,
        });
      }
    }
    if (digest !== undefined) set.push([DIGEST_TAG, digest]);
    if (set.length > 0) {
      tags.push({ run_id: own.run_id, experiment_id: own.experiment_id, tags: Object.fromEntries(set) });
    }
  }
  return { tags, losses };
}

/** The loss of references to runs that are not on the target: they keep their source ids. */
export function referenceKept(
  experiment_name: string,
  run_id: string,
  key: string,
  ids: readonly string[],
): Loss {
  const which = [...new Set(ids)];
  return {
    code: 'REFERENCE_KEPT',
    experiment_name,
    run_id,
    key,
    count: which.length,
    detail: `it names runs that are not on the target and keeps their source ids: ${which.slice(0, 3).join(', ')}${which.length > 3 ? ', …' : ''}`,
  };
}
