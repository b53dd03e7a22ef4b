import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { EvaluationDataset, EvaluationDatasetRecord } from '../../../model/evaluation-dataset.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { Store } from '../read/store.ts';
import { textFitter } from './text-fitter.ts';

type Tables = Pick<Store, 'database' | 'tables'>;

/** An evaluation dataset as a database holds it. */
export function fitDataset(
  store: Tables,
  wanted: EvaluationDataset,
): { readonly record: EvaluationDataset; readonly losses: readonly RunLoss[] } {
  const { losses, text, map } = textFitter(store, 'evaluation dataset');
  const record = {
    ...wanted,
    name: text('evaluation_datasets', 'name', 'name', wanted.name),
    tags: map('evaluation_dataset_tags', { key: 'key', value: 'value' }, withoutBookkeeping(wanted.tags)),
  };
  return { record, losses };
}

/** A record of one as a database holds it: the first schemas had no outputs. */
export function fitDatasetRecord(
  { tables, database }: Tables,
  wanted: EvaluationDatasetRecord,
): { readonly record: EvaluationDatasetRecord; readonly losses: readonly RunLoss[] } {
  const { losses, lost } = textFitter({ tables, database }, 'record');
  if (wanted.outputs === undefined || tables.has('evaluation_dataset_records', 'outputs'))
    return { record: wanted, losses };
  lost('VALUE_NOT_ALLOWED', 'outputs', 'this schema has no outputs of records');
  const { outputs: _, ...record } = wanted;
  return { record, losses };
}
