import { objectDigest } from '../../../kinds/object-digest.ts';
import { DIGEST_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import type { RegisteredModel } from '../../../model/registered-model.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import type { WriteOutcome } from '../../objects.ts';
import { readRegisteredModel } from '../read/registry.ts';
import { fitRegisteredModel } from './fit-registry.ts';
import { marksOf, mustHold, ownCells, type RegistryJob, tagsOf } from './registry-rows.ts';
import { type Cells, insertRow, setTexts, updateRow } from './rows.ts';

/** Writes a registered model, or brings the copy that is there up to date; one that is there from elsewhere is left as it is. */
export async function writeModel(
  { target, copy, source, note }: RegistryJob,
  wanted: RegisteredModel,
): Promise<WriteOutcome> {
  const { database, transactions, dryRun } = target;
  const { record, losses } = fitRegisteredModel(target, wanted);
  const { name } = record;
  mustHold(target, 'registered_models', { name });
  const present = await readRegisteredModel(target, name);
  const own = ownCells(target, 'registered_models', { name });
  const tagTable = tagsOf(target, 'registered_model_tags', { name });
  const tags = { ...record.tags, ...marksOf(copy) };
  const cellsOf = (model: RegisteredModel): Cells => [
    ['creation_time', model.creation_timestamp],
    ['last_updated_time', model.last_updated_timestamp],
    ['description', model.description ?? null],
  ];
  const set = (changed: () => Promise<number>, stale: StringMap) =>
    dryRun
      ? Promise.resolve(1)
      : transactions.run(10, async () => {
          const rows = await changed();
          return rows + (await setTexts(database, tagTable, stale, present?.tags));
        });
  if (present === undefined) {
    for (const loss of losses) note(loss);
    const key = own.map(([column]) => column);
    await set(() => insertRow(database, 'registered_models', key, [...own, ...cellsOf(record)]), tags);
    return 'created';
  }
  const origin = ownValue(present.tags, ORIGIN_TAG);
  if (origin === copy.origin && ownValue(present.tags, DIGEST_TAG) === copy.digest) return 'unchanged';
  const isSame = objectDigest(source.of, record) === objectDigest(source.of, present);
  if (origin === copy.origin || (origin === undefined && isSame)) {
    for (const loss of losses) note(loss);
    // What was there before and is the very same keeps its times.
    const cells = origin === undefined ? [] : cellsOf(record);
    const changes = await set(
      () => updateRow(database, 'registered_models', own, cells, cellsOf(present)),
      tags,
    );
    return origin === undefined || changes === 0 ? 'unchanged' : 'updated';
  }
  if (!isSame) {
    const detail = 'the target has a registered model of this name, which keeps its own description and tags';
    note({ code: 'VALUE_CONFLICT', detail });
  }
  return 'unchanged';
}
