import { randomUUID } from 'node:crypto';
import type { ModelLinks } from '../../../kinds/model-links.ts';
import type { InsertedTable } from '../connect/database.ts';
import type { Target } from './target.ts';

const LINKS: InsertedTable = {
  table: 'inputs',
  columns: ['input_uuid', 'source_type', 'source_id', 'destination_type', 'destination_id', 'step'],
  key: ['source_type', 'source_id', 'destination_type', 'destination_id'],
};

/** Links a run to the models that it read and made, in a transaction; links that are there stay as they are. */
export async function linkModels(
  { database }: Target,
  run_id: string,
  { model_inputs, model_outputs }: ModelLinks,
): Promise<void> {
  const id = () => randomUUID().replaceAll('-', '');
  await database.insert(LINKS, [
    ...model_inputs.map(({ model_id }) => [id(), 'RUN_INPUT', run_id, 'MODEL_INPUT', model_id, 0]),
    ...model_outputs.map(({ model_id, step }) => [
      id(),
      'RUN_OUTPUT',
      run_id,
      'MODEL_OUTPUT',
      model_id,
      step,
    ]),
  ]);
}
