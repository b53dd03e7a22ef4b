import type { Manager } from '../places/manager.ts';
import type { KeptObject } from '../places/model-manager.ts';
import { MlferryError } from '../util/errors.ts';
import type { PresentObject } from './object-changes.ts';

/** What is kept of an object that is going to be deleted, and whether nothing brings it back. */
export async function keepObject(
  { models }: Pick<Manager, 'models'>,
  present: PresentObject,
): Promise<{ readonly kept: KeptObject; readonly final: boolean }> {
  const { kind, record, versions } = present;
  const kept: KeptObject = { record: { ...record }, versions: [...versions] };
  const final = models.deletions.get(kind)?.undo === 'none';
  try {
    const files = await models.filesOf?.(present);
    return { kept: files === undefined ? kept : { ...kept, files }, final };
  } catch (error) {
    // A registered model with files of models among its own.
    if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
    return { kept, final: true };
  }
}
