import { type RenameRule, renamed } from '../job/rename.ts';
import { copyDigest } from '../kinds/copy-digest.ts';
import { COPY_TAG, DIGEST_TAG, ORIGIN_TAG, originRunId } from '../model/canonical.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader } from '../places/place.ts';

/** An active copy whose run the copy has not seen at the source. */
export interface Copy {
  readonly run: Pick<Run, 'run_id' | 'experiment_id' | 'run_name'>;
  readonly source_id: string;
  /** Id of the run above it, on the target. */
  readonly parent: string | undefined;
  readonly digest: string | undefined;
  /** `undefined`: it does not tell how it was written. */
  readonly isChanged: boolean | undefined;
}

/** The active experiments of the target that the selected ones of the source go to, whatever their stage there is. */
export async function mirroredExperiments(
  source: Reader,
  target: Reader,
  selection: Selection,
  {
    into,
    rename = [],
  }: { readonly into?: string | undefined; readonly rename?: readonly RenameRule[] | undefined },
): Promise<readonly Experiment[]> {
  const names = new Set<string>();
  for await (const experiment of source.experiments({ ...selection, view: 'all' }))
    names.add(into ?? renamed(experiment, rename));
  const found: Experiment[] = [];
  for await (const experiment of target.experiments(ALL_ACTIVE))
    if (names.has(experiment.name)) found.push(experiment);
  return found;
}

/**
 * The active copies of one source in these experiments: the ids of all, and those whose run is not in `seen`, which has the ids of
 * the source's runs. Runs of others are not looked at.
 */
export async function copiesLeft(
  target: Reader,
  experiments: readonly Experiment[],
  fingerprint: string,
  seen: ReadonlyMap<string, string>,
): Promise<{ candidates: readonly Copy[]; all: ReadonlySet<string> }> {
  const start = `${fingerprint}/`;
  // What a server can be asked; a fingerprint of a file may hold anything.
  const filter = /^[\w-]+$/.test(fingerprint) ? { filter: `tags.\`${ORIGIN_TAG}\` LIKE '${start}%'` } : {};
  const candidates: Copy[] = [];
  const all = new Set<string>();
  for (const experiment of experiments) {
    const selection = { ...ALL_ACTIVE, ...filter, experiments: [experiment.experiment_id] };
    for await (const { run } of target.runs(experiment, selection)) {
      const origin = ownValue(run.tags, ORIGIN_TAG);
      if (origin?.startsWith(start) !== true) continue;
      all.add(run.run_id);
      const source_id = originRunId(origin);
      if (seen.has(source_id)) continue;
      const { run_id, experiment_id, run_name } = run;
      const written = ownValue(run.tags, COPY_TAG);
      candidates.push({
        ...{ run: { run_id, experiment_id, run_name }, source_id },
        parent: ownValue(run.tags, PARENT_TAG),
        digest: ownValue(run.tags, DIGEST_TAG),
        isChanged: written === undefined ? undefined : written !== copyDigest(run),
      });
    }
  }
  return { candidates, all };
}
