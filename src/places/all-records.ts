import type { ObjectRecord } from '../kinds/kind.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import type { ObjectSource } from './objects.ts';

/** All that a place has of a kind that lives in no experiment. */
export async function allRecords(source: ObjectSource): Promise<ObjectRecord[]> {
  const all = () => true;
  const scope = {
    selection: { ...ALL_ACTIVE, view: 'all' as const },
    experiments: [],
    isChosen: all,
    isHeld: () => false,
  };
  const records: ObjectRecord[] = [];
  for await (const { record } of source.read(scope)) records.push(record);
  return records;
}
