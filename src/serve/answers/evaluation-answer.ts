import type { EvaluationDataset, EvaluationDatasetRecord } from '../../model/evaluation-dataset.ts';
import type { Scorer } from '../../model/scorer.ts';
import { integer } from './json-values.ts';

/** A version of a scorer as MLflow's servers tell it. */
export function scorerAnswer(scorer: Scorer): unknown {
  const { experiment_id, scorer_name, scorer_version, serialized_scorer, creation_time } = scorer;
  return {
    experiment_id: /^\d{1,9}$/.test(experiment_id) ? Number(experiment_id) : experiment_id,
    scorer_name,
    scorer_version: Number(scorer_version),
    serialized_scorer,
    creation_time: integer(creation_time),
  };
}

/** An evaluation dataset as MLflow's servers tell it. */
export function datasetAnswer(dataset: EvaluationDataset): unknown {
  const { dataset_id, name, tags, schema, profile, digest, created_by, last_updated_by } = dataset;
  return {
    dataset_id,
    name,
    tags: JSON.stringify(tags),
    schema,
    profile,
    digest,
    created_time: integer(dataset.created_time),
    last_update_time: integer(dataset.last_update_time),
    created_by,
    last_updated_by,
    experiment_ids: dataset.experiment_ids,
  };
}

/** Records of evaluation datasets as the JSON text that MLflow sends. */
export function datasetRecordsText(records: readonly EvaluationDatasetRecord[]): string {
  return `[${records.map(recordText).join(', ')}]`;
}

/** Values stay the JSON texts that they are, so that no number changes. */
function recordText(record: EvaluationDatasetRecord): string {
  const { dataset_id, dataset_record_id, inputs, outputs, expectations, tags, source } = record;
  const fields: ReadonlyArray<readonly [string, string | undefined]> = [
    ['dataset_record_id', JSON.stringify(dataset_record_id)],
    ['dataset_id', JSON.stringify(dataset_id)],
    ['inputs', inputs],
    ['outputs', outputs],
    ['expectations', expectations],
    ['tags', tags],
    ['source', source],
    ['created_time', String(record.created_time)],
    ['last_update_time', String(record.last_update_time)],
    ['created_by', textOf(record.created_by)],
    ['last_updated_by', textOf(record.last_updated_by)],
  ];
  return `{${fields.flatMap(([name, json]) => (json === undefined ? [] : `"${name}": ${json}`)).join(', ')}}`;
}

const textOf = (text: string | undefined) => (text === undefined ? undefined : JSON.stringify(text));
