import type { Ids } from '../kinds/id-map.ts';
import type { ObjectKind } from '../kinds/kind.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { isLeftOut, type PartOptions, partsOf } from '../kinds/parts.ts';
import { ORIGIN_TAG, originId } from '../model/canonical.ts';
import type { Failure } from '../model/findings.ts';
import type { Experiment } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { ownValue, stringMap } from '../model/string-map.ts';
import type { Reader } from '../places/place.ts';

/** Objects of a kind that are named one by one. */
const MOST_NAMED = 5;

/**
 * Tells of the copies of further objects that the copy has not seen at the source: they stay, because MLflow deletes such for
 * good. Of a choice of experiments only what lives in these is looked at.
 */
export async function objectsLeft(
  target: Reader,
  experiments: readonly Experiment[],
  selection: Selection,
  options: PartOptions & {
    readonly fingerprint: string;
    readonly ids: Ids;
    readonly failures: readonly Failure[];
  },
): Promise<string[]> {
  const { fingerprint, ids, failures } = options;
  if (experiments.length === 0) return [];
  const parts = partsOf(options);
  const isChoice =
    selection.experiments.length + (selection.exclude_experiments ?? []).length > 0 ||
    selection.experiment_filter !== undefined;
  const failed = new Set(failures.map(({ of }) => `${of?.kind} ${of?.id}`));
  const isLookedAt = (of: ObjectKind) =>
    of.foundBy !== 'id' &&
    (!isChoice || of.within === 'experiment') &&
    !isLeftOut(of, parts) &&
    !failed.has(`${of.kind} `);
  const scope = {
    selection: { ...ALL_ACTIVE, experiments: experiments.map(({ experiment_id }) => experiment_id) },
    experiments,
    isChosen: () => true,
    isHeld: () => true,
  };
  const notes: string[] = [];
  for (const of of FURTHER_KINDS.filter(isLookedAt)) {
    const left: string[] = [];
    for await (const { record } of target.objects?.get(of.kind)?.read(scope) ?? []) {
      const origin = ownValue(stringMap.safeParse(record.tags).data ?? {}, ORIGIN_TAG);
      if (origin?.startsWith(`${fingerprint}/`) !== true) continue;
      const id = originId(origin);
      if (!ids.of(of.kind).has(id) && !failed.has(`${of.kind} ${id}`)) left.push(idOf(of, record));
    }
    if (left.length === 0) continue;
    const { one, many } = of.words;
    const shown = left.slice(0, MOST_NAMED).join(', ');
    notes.push(
      `${left.length} ${left.length === 1 ? one : many} that this copy has not seen at the source stay, because MLflow deletes such for good: ${shown}${left.length > MOST_NAMED ? ', …' : ''}`,
    );
  }
  return notes;
}
