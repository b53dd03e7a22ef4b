import type { Ledger } from '../job/ledger.ts';
import type { Manager } from '../places/manager.ts';
import type { KeptObject, ObjectKey } from '../places/model-manager.ts';
import { MlferryError } from '../util/errors.ts';
import { objectText } from './change-objects.ts';
import { keepObject } from './keep-object.ts';
import { orListed } from './manage-job.ts';
import {
  changeOf,
  isObjectInState,
  keyText,
  type ObjectChange,
  objectStateOf,
  type PresentObject,
} from './object-changes.ts';
import { readObjects } from './read-models.ts';
import type { Undo } from './undo-file.ts';

/** How registered models, versions and logged models go back to what an undo file holds. */
export async function planObjects(
  manager: Manager,
  { objects: entries }: Undo,
  ledger: Ledger,
  notFound: (object: string) => Promise<unknown>,
): Promise<{ readonly changes: readonly ObjectChange[]; readonly unchanged: number }> {
  const keys = entries.map(({ of: kind, id, experiment_id }) => ({
    ...{ kind, id },
    ...(experiment_id === undefined ? {} : { experiment_id }),
  }));
  const now =
    entries.length === 0 ? new Map<string, PresentObject>() : await readObjects(manager.reader, keys);
  const changes: ObjectChange[] = [];
  let unchanged = 0;
  for (const [index, { name, before: after, kept, final }] of entries.entries()) {
    const key = keys[index];
    if (key === undefined) continue;
    const present = now.get(keyText(key));
    if (isObjectInState(present, after, kept)) unchanged += 1;
    else if (after.deleted === false) {
      const change = await orListed(ledger, objectText({ ...key, name }), async () =>
        comeBack(key, name, kept, final),
      );
      if (change !== undefined) changes.push(change);
    } else if (present === undefined) await notFound(objectText({ ...key, name }));
    else {
      const deletes = after.deleted === true ? await keepObject(manager, present) : {};
      changes.push({ ...changeOf(present, objectStateOf(present, after), after), ...deletes });
    }
  }
  return { changes, unchanged };
}

/** What makes a deleted object again. Throws UNSUPPORTED where nothing does. */
function comeBack(key: ObjectKey, name: string, kept: KeptObject | undefined, final: boolean): ObjectChange {
  if (final || kept === undefined)
    throw new MlferryError('UNSUPPORTED', 'It was deleted for good, and nothing brings it back', {
      hint: 'What it was stands in the undo file.',
    });
  const states = { before: { deleted: true }, after: { deleted: false } };
  return { ...key, name, is_prompt: false, ...states, kept, final: false };
}
