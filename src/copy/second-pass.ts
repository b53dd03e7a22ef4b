import type { KindIds } from '../kinds/id-map.ts';
import {
  hasLinks,
  linksMissing,
  linksOf,
  type ModelLinks,
  modelsIn,
  remapLinks,
  remapModelsIn,
} from '../kinds/model-links.ts';
import {
  type OwnIds,
  type RunIds,
  referenceKept,
  references,
  remapTag,
  type SourceIds,
} from '../kinds/remap.ts';
import { DIGEST_TAG, ORIGIN_PARENT_TAG } from '../model/canonical.ts';
import type { Loss } from '../model/findings.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { SecondPass, Writer } from '../places/place.ts';

/** Tags of a copied run that refer to runs which were not on the target when it was written. */
export interface OpenReferences {
  readonly source: SourceIds;
  readonly own: OwnIds;
  readonly experiment_name: string;
  /** Key → value at the source. */
  readonly tags: ReadonlyMap<string, string>;
  /** To logged models. */
  readonly links?: ModelLinks;
  /** To be set now that the run is complete; undefined when it already is. */
  readonly digest: string | undefined;
}

/**
 * The tags to set and the models to link in the second pass. Runs outside the selection are looked up on the target; a parent that is not there
 * stays under `mlferry.origin_parent` and is a loss, like any other reference to a run that is not there.
 *
 * `failed`: ids of what failed in this pass. A failed run is not looked up, another copy of it would be found; and a run
 * with a reference that a later pass may mend does not get its digest, so that it is looked at again.
 */
export async function secondPassOf(
  open: readonly OpenReferences[],
  runIds: RunIds,
  modelIds: Pick<KindIds, 'get'>,
  writer: Pick<Writer, 'findRuns'>,
  failed: ReadonlySet<string>,
): Promise<{ runs: SecondPass['runs']; losses: Loss[] }> {
  const named = ({ tags }: OpenReferences) => [...tags].flatMap(([key, value]) => references(key, value));
  const wanted = open.flatMap(named).filter((id) => !failed.has(id));
  const ids = await withOthers(runIds, wanted, writer);
  const runs: Array<SecondPass['runs'][number]> = [];
  const losses: Loss[] = [];
  for (const run of open) {
    const { source, own, experiment_name, tags: openTags, digest } = run;
    const set: Array<[string, string | null]> = [];
    for (const [key, value] of openTags) {
      if (key !== PARENT_TAG) {
        set.push([key, remapModelsIn(remapTag(key, value, source, own, ids) ?? value, modelIds)]);
        const kept = [
          ...references(key, value).filter((id) => id !== source.run_id && !ids.has(id)),
          ...modelsIn(value).filter((id) => modelIds.get(id) === undefined),
        ];
        if (kept.length > 0) losses.push(referenceKept(experiment_name, source.run_id, key, kept));
        continue;
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
    const { links, missing } = remapLinks(run.links ?? linksOf({}), modelIds);
    if (missing.length > 0) losses.push(linksMissing(source, experiment_name, missing));
    const mayCome =
      failed.size > 0 &&
      (named(run).some((id) => id !== source.run_id && !ids.has(id)) ||
        [...missing, ...[...openTags.values()].flatMap(modelsIn)].some((id) => failed.has(id)));
    if (digest !== undefined && !mayCome) set.push([DIGEST_TAG, digest]);
    if (set.length > 0 || hasLinks(links)) {
      const { run_id, experiment_id } = own;
      runs.push({
        run_id,
        experiment_id,
        tags: Object.fromEntries(set),
        ...(hasLinks(links) ? { links } : {}),
      });
    }
  }
  return { runs, losses };
}

/** The id map, and those of the wanted runs that it does not have but the target does: copied with another selection. */
export async function withOthers(
  runIds: RunIds,
  wanted: readonly string[],
  writer: Pick<Writer, 'findRuns'>,
): Promise<RunIds> {
  const unknown = [...new Set(wanted)].filter((id) => !runIds.has(id));
  const found = unknown.length === 0 ? undefined : await writer.findRuns?.(unknown);
  if (found === undefined || found.size === 0) return runIds;
  return { has: (id) => runIds.has(id) || found.has(id), get: (id) => runIds.get(id) ?? found.get(id) };
}
