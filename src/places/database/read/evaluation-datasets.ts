import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import {
  type EvaluationDataset,
  type EvaluationDatasetRecord,
  evaluationDataset,
  evaluationDatasetRecord,
  inputHash,
} from '../../../model/evaluation-dataset.ts';
import { isMap, parseTypedJson, printTypedJson } from '../../../model/typed-json.ts';
import { withoutUndefined } from '../../../util/without-undefined.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import { fitDataset, fitDatasetRecord } from '../write/fit-evaluation-dataset.ts';
import { integer, nullableText, numericId, text } from './cells.ts';
import { checkedRows, inWorkspace, pairsOf, rowsOf, type Store } from './store.ts';

const datasetRow = z.object({
  dataset_id: z.string().min(1),
  name: text,
  digest: nullableText,
  schema: nullableText,
  profile: nullableText,
  created_time: integer,
  last_update_time: integer,
  created_by: nullableText,
  last_updated_by: nullableText,
});
const linkRow = z.object({ dataset_id: z.string(), experiment_id: numericId });

/** The evaluation datasets of a database, in the order of their creation. */
export function evaluationDatasets(store: Store): ObjectSource {
  const of = kindOf('evaluation_dataset');
  return {
    represent: (wanted) => fitDataset(store, evaluationDataset.parse(wanted)),
    async *read() {
      for (const record of await withLinks(store, await readDatasets(store)))
        yield { of, record, ...NO_FILES };
    },
  };
}

/** One evaluation dataset, of any workspace; `undefined` where there is none of this id. */
export async function readDataset(store: Store, dataset_id: string): Promise<EvaluationDataset | undefined> {
  const columns = store.tables.columns('evaluation_datasets', Object.keys(datasetRow.shape));
  const sql = `SELECT ${columns} FROM "evaluation_datasets" WHERE "dataset_id" = ?`;
  return (await withLinks(store, await checkedRows(store, datasetRow, sql, [dataset_id])))[0];
}

async function withLinks(
  store: Store,
  rows: ReadonlyArray<z.infer<typeof datasetRow>>,
): Promise<EvaluationDataset[]> {
  const ids = rows.map(({ dataset_id }) => dataset_id);
  const tagsOf = await pairsOf(store, { table: 'evaluation_dataset_tags', own: 'dataset_id' }, ids);
  const links = Map.groupBy(
    await rowsOf(
      store,
      linkRow,
      ids,
      (list) =>
        'SELECT "source_id" AS "dataset_id", "destination_id" AS "experiment_id" FROM "entity_associations"' +
        ` WHERE "source_type" = 'evaluation_dataset' AND "destination_type" = 'experiment' AND "source_id" IN ${list}`,
    ),
    ({ dataset_id }) => dataset_id,
  );
  return rows.map(({ dataset_id, name, created_time, last_update_time, ...optional }) => {
    const experiments = links.get(dataset_id) ?? [];
    return evaluationDataset.parse({
      kind: 'evaluation_dataset',
      dataset_id,
      name,
      experiment_ids: experiments.map(({ experiment_id }) => experiment_id).sort(),
      tags: tagsOf(dataset_id),
      ...withoutUndefined(optional),
      created_time,
      last_update_time,
    });
  });
}

function readDatasets(store: Store): Promise<z.infer<typeof datasetRow>[]> {
  const { where, parameters } = inWorkspace(store, 'evaluation_datasets');
  const columns = store.tables.columns('evaluation_datasets', Object.keys(datasetRow.shape));
  return checkedRows(
    store,
    datasetRow,
    `SELECT ${columns} FROM "evaluation_datasets" WHERE ${where} ORDER BY "evaluation_datasets"."created_time", "dataset_id"`,
    parameters,
  );
}

const recordRow = z.object({
  dataset_record_id: z.string().min(1),
  dataset_id: z.string(),
  inputs: z.string(),
  outputs: nullableText,
  expectations: nullableText,
  tags: nullableText,
  source: nullableText,
  created_time: integer,
  last_update_time: integer,
  created_by: nullableText,
  last_updated_by: nullableText,
});

/** The records of the evaluation datasets, in the order of their creation. */
export function evaluationDatasetRecords(store: Store): ObjectSource {
  const of = kindOf('evaluation_dataset_record');
  return {
    represent: (wanted) => fitDatasetRecord(store, evaluationDatasetRecord.parse(wanted)),
    async *read({ isChosen }) {
      for (const { dataset_id } of await readDatasets(store)) {
        if (!isChosen('evaluation_dataset', dataset_id)) continue;
        for await (const record of readRecords(store, dataset_id)) yield { of, record, ...NO_FILES };
      }
    },
  };
}

/** The records of one evaluation dataset; what cannot be read is a failure each. */
export async function* readRecords(
  store: Store,
  dataset_id: string,
): AsyncGenerator<EvaluationDatasetRecord> {
  const names = Object.keys(recordRow.shape);
  const columns = store.tables.columns('evaluation_dataset_records', names);
  const sql = `SELECT ${columns} FROM "evaluation_dataset_records" WHERE "dataset_id" = ? ORDER BY "evaluation_dataset_records"."created_time", "dataset_record_id"`;
  for await (const rows of store.database.stream(sql, [dataset_id]))
    for (const values of rows) {
      const fields = Object.fromEntries(names.map((name, at) => [name, values[at]]));
      try {
        yield recordOf(recordRow.parse(fields));
      } catch (error) {
        store.fail(`record ${String(fields.dataset_record_id)} of evaluation dataset ${dataset_id}`, error);
      }
    }
}

/** MLflow wraps outputs, so that a column of JSON can hold any (mlflow/entities/dataset_record.py). */
export const WRAPPED = 'mlflow_wrapped';

function recordOf({
  created_by,
  last_updated_by,
  ...row
}: z.infer<typeof recordRow>): EvaluationDatasetRecord {
  const inputs = spelt(row.inputs) ?? '{}';
  const json = (name: 'outputs' | 'expectations' | 'tags' | 'source') => {
    const value = spelt(row[name], name === 'outputs' ? WRAPPED : undefined);
    return value === undefined ? {} : { [name]: value };
  };
  return {
    kind: 'evaluation_dataset_record',
    dataset_id: row.dataset_id,
    input_hash: inputHash(inputs),
    dataset_record_id: row.dataset_record_id,
    inputs,
    ...json('outputs'),
    ...json('expectations'),
    ...json('tags'),
    ...json('source'),
    created_time: row.created_time,
    last_update_time: row.last_update_time,
    ...(created_by === undefined ? {} : { created_by }),
    ...(last_updated_by === undefined ? {} : { last_updated_by }),
  };
}

/** A JSON text as Python spells it, of an object only one field if it is told; null is none. Throws SyntaxError. */
function spelt(json: string | undefined, field?: string): string | undefined {
  if (json === undefined) return undefined;
  const value = parseTypedJson(json);
  const own =
    field !== undefined && value !== null && typeof value === 'object' && isMap(value)
      ? value.get(field)
      : value;
  return own === undefined || own === null ? undefined : printTypedJson(own);
}
