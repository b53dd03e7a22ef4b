import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { RunLoss } from '../../../model/fit-run.ts';
import { OVERSIZE_FILE } from '../../../model/own-files.ts';
import type { DatasetInput, Run } from '../../../model/records.ts';
import type { InsertedTable } from '../connect/database.ts';
import { nullableText, text } from '../read/cells.ts';
import { checkedRows } from '../read/store.ts';
import type { Target } from './target.ts';

type Dataset = DatasetInput['dataset'];

/** Dataset inputs that a run still needs, and which of them cannot be had as they are. */
export interface InputPlan {
  readonly added: readonly DatasetInput[];
  /** Inputs of which the experiment or the run has another one of the name and digest. */
  readonly differing: readonly DatasetInput[];
}

const DATASETS: InsertedTable = {
  table: 'datasets',
  columns: [
    ...['dataset_uuid', 'experiment_id', 'name', 'digest', 'dataset_source_type', 'dataset_source'],
    ...['dataset_schema', 'dataset_profile'],
  ],
  key: ['experiment_id', 'name', 'digest'],
};
const INPUTS: InsertedTable = {
  table: 'inputs',
  columns: ['input_uuid', 'source_type', 'source_id', 'destination_type', 'destination_id'],
  key: ['source_type', 'source_id', 'destination_type', 'destination_id'],
};
const INPUT_TAGS: InsertedTable = {
  table: 'input_tags',
  columns: ['input_uuid', 'name', 'value'],
  key: ['input_uuid', 'name'],
};

const datasetRow = z.object({
  dataset_uuid: z.string(),
  dataset_source_type: text,
  dataset_source: text,
  dataset_schema: nullableText,
  dataset_profile: nullableText,
});

/** What MLflow tells datasets apart by. */
export const datasetKey = ({ name, digest }: Dataset) => JSON.stringify([name, digest]);

const textsOf = (type: string, source: string, schema = '', profile = '') =>
  JSON.stringify([type, source, schema, profile]);
const contentOf = ({ source_type, source, schema, profile }: Dataset) =>
  textsOf(source_type, source, schema, profile);

async function findDataset(target: Target, experiment_id: string, { name, digest }: Dataset) {
  const [found] = await checkedRows(
    target,
    datasetRow,
    `SELECT ${target.tables.columns('datasets', Object.keys(datasetRow.shape))} FROM "datasets"` +
      ' WHERE "experiment_id" = ? AND "name" = ? AND "digest" = ?',
    [experiment_id, name, digest],
  );
  if (found === undefined) return undefined;
  const { dataset_uuid, dataset_source_type, dataset_source, dataset_schema, dataset_profile } = found;
  return {
    dataset_uuid,
    content: textsOf(dataset_source_type, dataset_source, dataset_schema, dataset_profile),
  };
}

/** Looks up which inputs of a run are to be added. Datasets of one name and digest are one in an experiment, as in MLflow. */
export async function planInputs(target: Target, run: Run, present: Run | undefined): Promise<InputPlan> {
  const added = new Map<string, DatasetInput>();
  const differing: DatasetInput[] = [];
  const there = new Map(present?.dataset_inputs.map((input) => [datasetKey(input.dataset), input]));
  for (const input of run.dataset_inputs) {
    const key = datasetKey(input.dataset);
    const same = there.get(key) ?? added.get(key);
    if (same !== undefined) {
      if (textOf(same) !== textOf(input)) differing.push(input);
      continue;
    }
    const found = await findDataset(target, run.experiment_id, input.dataset);
    if (found !== undefined && found.content !== contentOf(input.dataset)) differing.push(input);
    added.set(key, input);
  }
  return { added: [...added.values()], differing };
}

/** One text for one input. */
export const textOf = ({ dataset, tags }: DatasetInput) =>
  `${contentOf(dataset)} ${JSON.stringify(Object.entries(tags).toSorted(([a], [b]) => (a < b ? -1 : 1)))}`;

/** The loss of an input that the target has otherwise. */
export function differs({ dataset }: DatasetInput): RunLoss {
  return {
    code: 'DATASET_DIFFERS',
    key: dataset.name,
    detail: `the target has another dataset of this name and digest, which was kept; this one is in ${OVERSIZE_FILE}`,
  };
}

/** Adds inputs to a run, in a transaction. */
export async function writeInputs(
  target: Target,
  run: Run,
  { added, differing }: InputPlan,
  note: (loss: RunLoss) => void,
): Promise<void> {
  const { database } = target;
  for (const input of added) {
    const { dataset, tags } = input;
    const { name, digest, source_type, source, schema = null, profile = null } = dataset;
    await database.insert(DATASETS, [
      [newId(), run.experiment_id, name, digest, source_type, source, schema, profile],
    ]);
    const found = await findDataset(target, run.experiment_id, dataset);
    if (found === undefined) continue;
    // Another run brought its own one since it was looked up.
    if (found.content !== contentOf(dataset) && !differing.includes(input))
      note({ ...differs(input), left_behind: true });
    const input_uuid = newId();
    const rows = await database.insert(INPUTS, [
      [input_uuid, 'DATASET', found.dataset_uuid, 'RUN', run.run_id],
    ]);
    if (rows > 0)
      await database.insert(
        INPUT_TAGS,
        Object.entries(tags).map(([key, value]) => [input_uuid, key, value]),
      );
  }
}

const newId = () => randomUUID().replaceAll('-', '');
