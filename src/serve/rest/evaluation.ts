import { z } from 'zod';
import {
  type EvaluationDataset,
  evaluationDataset,
  evaluationDatasetRecord,
} from '../../model/evaluation-dataset.ts';
import { compareInt64 } from '../../model/int64.ts';
import { type Scorer, scorer } from '../../model/scorer.ts';
import { datasetAnswer, datasetRecordsText, scorerAnswer } from '../answers/evaluation-answer.ts';
import { list } from '../answers/json-values.ts';
import { count, optionalText, parsed, texts } from '../asked.ts';
import type { Context, Handler } from '../context.ts';
import { pageOf } from '../page.ts';
import { absent, invalid } from '../refusal.ts';

const SCORER = 'scorer';
const DATASET = 'evaluation_dataset';
const RECORD = 'evaluation_dataset_record';

async function scorersOf({ place }: Context, experiment_ids: readonly string[]): Promise<Scorer[]> {
  const { table } = await place.records(SCORER, experiment_ids);
  const found = [...table.each(SCORER, experiment_ids)].map((text) => scorer.parse(JSON.parse(text)));
  return found.sort((a, b) => Number(a.scorer_version) - Number(b.scorer_version));
}

const scorersSchema = z.object({ experiment_id: optionalText, experiment_ids: texts });

/** The latest version of each scorer. */
export const listScorers: Handler = async (context, asked) => {
  const { experiment_id, experiment_ids } = parsed(scorersSchema, asked);
  const found = await scorersOf(context, experiment_id === undefined ? experiment_ids : [experiment_id]);
  const latest = new Map(found.map((each) => [JSON.stringify([each.experiment_id, each.scorer_name]), each]));
  return { json: { scorers: list([...latest.values()].map(scorerAnswer)) } };
};

const scorerSchema = z.object({
  experiment_id: z.string(),
  name: z.string(),
  version: z
    .union([z.string(), z.number()])
    .nullish()
    .transform((version) => (version ? String(version) : undefined)),
});

export const listScorerVersions: Handler = async (context, asked) => {
  const { experiment_id, name } = parsed(scorerSchema, asked);
  const found = (await scorersOf(context, [experiment_id])).filter(({ scorer_name }) => scorer_name === name);
  if (found.length === 0) throw absent(`Scorer with name '${name}'`);
  return { json: { scorers: found.map(scorerAnswer) } };
};

export const getScorer: Handler = async (context, asked) => {
  const { experiment_id, name, version } = parsed(scorerSchema, asked);
  const found = (await scorersOf(context, [experiment_id])).findLast(
    (each) => each.scorer_name === name && (version === undefined || each.scorer_version === version),
  );
  if (found === undefined) throw absent(`Scorer with name '${name}'`);
  return { json: { scorer: scorerAnswer(found) } };
};

const searchSchema = z.object({
  experiment_ids: texts,
  filter_string: optionalText,
  max_results: count(1000, 50_000),
  order_by: texts,
  page_token: optionalText,
});

export const searchEvaluationDatasets: Handler = async ({ place }, asked) => {
  const { experiment_ids, filter_string, max_results, order_by, page_token } = parsed(searchSchema, asked);
  if (filter_string !== undefined) throw invalid('Evaluation datasets are not searched by a filter here');
  const { table } = await place.records(DATASET);
  const direction = order_by[0] === 'created_time ASC' ? 1 : -1;
  const all = [...table.each(DATASET)]
    .map((text) => evaluationDataset.parse(JSON.parse(text)))
    .filter(
      (each) => experiment_ids.length === 0 || each.experiment_ids.some((id) => experiment_ids.includes(id)),
    )
    .sort((a, b) => direction * compareInt64(a.created_time, b.created_time));
  const { items, next_page_token } = pageOf(all, max_results, page_token);
  return { json: { datasets: list(items.map(datasetAnswer)), next_page_token } };
};

const datasetSchema = z.object({ dataset_id: z.string() });

async function datasetOf({ place }: Context, dataset_id: string): Promise<EvaluationDataset> {
  const found = await place.object(DATASET, dataset_id);
  if (found === undefined) throw absent(`Evaluation dataset with id '${dataset_id}'`);
  return evaluationDataset.parse(found);
}

export const getEvaluationDataset: Handler = async (context, asked) => ({
  json: { dataset: datasetAnswer(await datasetOf(context, parsed(datasetSchema, asked).dataset_id)) },
});

export const getDatasetExperiments: Handler = async (context, asked) => {
  const { experiment_ids } = await datasetOf(context, parsed(datasetSchema, asked).dataset_id);
  return { json: { experiment_ids: list(experiment_ids) } };
};

const recordsSchema = z.object({
  dataset_id: z.string(),
  max_results: count(1000, 50_000),
  page_token: optionalText,
});

export const getDatasetRecords: Handler = async (context, asked) => {
  const { dataset_id, max_results, page_token } = parsed(recordsSchema, asked);
  await datasetOf(context, dataset_id);
  const { table } = await context.place.records(RECORD);
  const all = [...table.each(RECORD, [dataset_id])].map((text) =>
    evaluationDatasetRecord.parse(JSON.parse(text)),
  );
  const { items, next_page_token } = pageOf(
    all.sort((a, b) => compareInt64(a.created_time, b.created_time)),
    max_results,
    page_token,
  );
  return { json: { records: datasetRecordsText(items), next_page_token } };
};
