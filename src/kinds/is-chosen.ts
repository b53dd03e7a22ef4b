import { type Selection, wantsWholeExperiments } from '../model/selection.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';
import { parentIdOf } from './marks.ts';
import { allReferencesOf } from './remap-object.ts';

/**
 * Whether an object of a further kind belongs to a selection. Of whole experiments all do; of a choice of runs those that
 * name a chosen object, or live in one. What lives in no experiment goes along when everything does, or when it names
 * what is chosen. `isSeen`: whether an object of an earlier kind is chosen.
 */
export function isChosen(
  of: ObjectKind,
  record: ObjectRecord,
  selection: Selection,
  isSeen: (kind: string, id: string) => boolean,
): boolean {
  const parent = parentIdOf(of, record);
  const byParent = of.chosenBy !== 'references';
  if (byParent && of.within !== undefined && parent !== undefined && of.within !== 'experiment')
    return isSeen(of.within, parent);
  const whole = wantsWholeExperiments(selection);
  if (whole && (of.within === 'experiment' || selection.experiments.length === 0)) return true;
  // Of its own kind others are on their way at once: what names one of those is chosen by nothing but that.
  return allReferencesOf(of, record).some(
    ({ kind, id }) => kind !== of.within && kind !== of.kind && isSeen(kind, id),
  );
}
