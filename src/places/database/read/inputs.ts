import { z } from 'zod';
import type { DatasetInput, Run } from '../../../model/records.ts';
import { integer, optionalText, text } from './cells.ts';
import { pairsOf, rowsOf, type Store } from './store.ts';

/** What a run read and made. */
type Inputs = Pick<Run, 'dataset_inputs' | 'model_inputs' | 'model_outputs'>;

const DATASET = [
  ...['name', 'digest', 'dataset_source_type', 'dataset_source', 'dataset_schema', 'dataset_profile'],
];

const datasetRow = z.object({
  input_uuid: z.string(),
  run_uuid: z.string(),
  name: z.string(),
  digest: z.string(),
  dataset_source_type: text,
  dataset_source: text,
  dataset_schema: optionalText,
  dataset_profile: optionalText,
});
const modelRow = z.object({
  run_uuid: z.string(),
  model_id: z.string().min(1),
  source_type: z.string(),
  step: integer,
});

/** Dataset inputs (MLflow 2.4 and newer), model inputs and outputs (3.0) of some runs. */
export async function readInputs(store: Store, ids: readonly string[]): Promise<Map<string, Inputs>> {
  const { tables } = store;
  const found = new Map<string, Inputs>();
  if (!tables.has('inputs')) return found;
  const datasets = Map.groupBy(await readDatasets(store, ids), ([run_uuid]) => run_uuid);
  const models = Map.groupBy(await readModels(store, ids), ({ run_uuid }) => run_uuid);
  for (const id of ids) {
    const links = models.get(id) ?? [];
    const model_inputs = links
      .filter(({ source_type }) => source_type === 'RUN_INPUT')
      .map(({ model_id }) => ({ model_id }));
    const model_outputs = links
      .filter(({ source_type }) => source_type === 'RUN_OUTPUT')
      .map(({ model_id, step }) => ({ model_id, step }));
    found.set(id, {
      dataset_inputs: (datasets.get(id) ?? []).map(([, input]) => input),
      ...(model_inputs.length === 0 ? {} : { model_inputs }),
      ...(model_outputs.length === 0 ? {} : { model_outputs }),
    });
  }
  return found;
}

async function readDatasets(store: Store, ids: readonly string[]): Promise<[string, DatasetInput][]> {
  const { tables } = store;
  const columns = tables.columns('datasets', DATASET);
  const rows = await rowsOf(
    store,
    datasetRow,
    ids,
    (list) =>
      `SELECT "inputs"."input_uuid" AS "input_uuid", "inputs"."destination_id" AS "run_uuid", ${columns}` +
      ' FROM "inputs" JOIN "datasets" ON "datasets"."dataset_uuid" = "inputs"."source_id"' +
      ` WHERE "inputs"."source_type" = 'DATASET' AND "inputs"."destination_type" = 'RUN'` +
      ` AND "inputs"."destination_id" IN ${list} ORDER BY "datasets"."name", "datasets"."digest"`,
  );
  const inputs = rows.map(({ input_uuid }) => input_uuid);
  const tagsOf = await pairsOf(store, { table: 'input_tags', own: 'input_uuid', key: 'name' }, inputs);
  return rows.map(({ input_uuid, run_uuid, name, digest, ...row }) => [
    run_uuid,
    {
      dataset: {
        name,
        digest,
        source_type: row.dataset_source_type,
        source: row.dataset_source,
        ...(row.dataset_schema === undefined ? {} : { schema: row.dataset_schema }),
        ...(row.dataset_profile === undefined ? {} : { profile: row.dataset_profile }),
      },
      tags: tagsOf(input_uuid),
    },
  ]);
}

async function readModels(store: Store, ids: readonly string[]): Promise<z.infer<typeof modelRow>[]> {
  if (!store.tables.has('logged_models')) return [];
  const step = store.tables.columns('inputs', ['step']);
  return rowsOf(
    store,
    modelRow,
    ids,
    (list) =>
      `SELECT "source_id" AS "run_uuid", "destination_id" AS "model_id", "source_type", ${step} FROM "inputs"` +
      ` WHERE "source_type" IN ('RUN_INPUT', 'RUN_OUTPUT') AND "source_id" IN ${list}` +
      ' ORDER BY "destination_id"',
  );
}
