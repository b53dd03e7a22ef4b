import { kindOf } from '../kinds/kinds.ts';
import { VERSION, versionKey } from '../kinds/model-registry.ts';
import type { ModelManager } from '../places/model-manager.ts';
import { MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { attempt, mismatch } from './attempt.ts';
import { isObjectInState, keyText, type ObjectChange } from './object-changes.ts';
import type { CarryOut, Outcome } from './outcome.ts';
import { readObjects } from './read-models.ts';

/** Changes models and their versions, what belongs to one registered model one after another, and reads them back. */
export async function changeObjects(
  changes: readonly ObjectChange[],
  job: CarryOut,
  outcome: Outcome,
): Promise<void> {
  if (changes.length === 0) return;
  const done: ObjectChange[] = [];
  const groups = Map.groupBy(changes, ({ kind, id }) => (kind === VERSION.kind ? versionKey(id).name : id));
  await mapConcurrent([...groups.values()], job.concurrency, async (group) => {
    const failed = new Set<string>();
    for (const change of group) {
      const succeeded = await attempt(job, outcome, objectText(change), async () => {
        if (change.follows?.some((id) => failed.has(id)) === true)
          throw new MlferryError('INCOMPLETE', 'Left as it is, because what comes before it failed');
        await changeObject(job.manager.models, change);
      });
      if (!succeeded) {
        failed.add(change.id);
        continue;
      }
      done.push(change);
      outcome.changed += 1;
      job.progress(outcome.changed + outcome.failed);
    }
  });
  const now = await readObjects(job.manager.reader, done);
  for (const change of done) {
    if (isObjectInState(now.get(keyText(change)), change.after, change.kept, true)) continue;
    outcome.changed -= 1;
    mismatch(job, outcome, objectText(change), 'it did not change as it should');
  }
}

/** An object as messages name it. */
export function objectText({ kind, id, name }: Pick<ObjectChange, 'kind' | 'id' | 'name'>): string {
  const shown = name === id ? JSON.stringify(id) : `${id} (${JSON.stringify(name)})`;
  return `${kindOf(kind).words.one} ${shown}`;
}

async function changeObject(models: ModelManager, change: ObjectChange): Promise<void> {
  const { id, after, kept } = change;
  if (after.deleted === true) return models.delete(change);
  if (after.deleted === false) {
    if (kept === undefined) throw new MlferryError('BUG', 'Nothing is kept to make it again');
    return models.remake(change, kept);
  }
  if (after.tags !== undefined) await models.setTags(change, after.tags);
  for (const [alias, version] of Object.entries(after.aliases ?? {}))
    await models.setAlias(id, alias, version);
  if (after.current_stage !== undefined) await models.setStage(change, after.current_stage);
}
