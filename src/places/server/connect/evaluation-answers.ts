import { z } from 'zod';
import {
  type EvaluationDataset,
  evaluationDatasetRecord,
  recordFromJson,
} from '../../../model/evaluation-dataset.ts';
import { int64Answer } from '../../../model/int64.ts';
import type { Scorer } from '../../../model/scorer.ts';
import { isMap, parseTypedJson, printTypedJson, type TypedJson } from '../../../model/typed-json.ts';

/** Answers of MLflow about scorers and evaluation datasets (3.4 and newer, databases only). */

const number = z.union([z.string(), z.int()]).transform(String);

const scorerAnswer = z
  .object({
    experiment_id: number,
    scorer_name: z.string().min(1),
    scorer_version: number,
    serialized_scorer: z.string(),
    creation_time: int64Answer.default(0),
  })
  .transform((answer): Scorer => ({ kind: 'scorer', ...answer }));

/** Answer of scorers/list (the last version of each) and scorers/versions: neither has pages. */
export const scorerList = z.object({ scorers: z.array(scorerAnswer).default([]) });

/** Answer of scorers/register. */
export const registeredScorer = z.object({ version: number });

/** JSON in a text. What it holds is read with every number as it was spelt. */
const typedText = z.string().transform((text, context): TypedJson => {
  try {
    return parseTypedJson(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
});

const fieldsOf = (value: TypedJson) =>
  value !== null && typeof value === 'object' && isMap(value) ? value : new Map<string, TypedJson>();

const tagTexts = typedText.transform((value) =>
  Object.fromEntries(
    [...fieldsOf(value)].map(([key, tag]) => [key, typeof tag === 'string' ? tag : printTypedJson(tag)]),
  ),
);

const people = { created_by: z.string().optional(), last_updated_by: z.string().optional() };
const times = { created_time: int64Answer.default(0), last_update_time: int64Answer.default(0) };

/** An evaluation dataset; in which experiments it is another request tells. */
const datasetAnswer = z
  .object({
    dataset_id: z.string().min(1),
    name: z.string().default(''),
    tags: tagTexts.optional(),
    digest: z.string().optional(),
    schema: z.string().optional(),
    profile: z.string().optional(),
    ...times,
    ...people,
  })
  .transform(
    ({ tags = {}, ...answer }): EvaluationDataset => ({
      kind: 'evaluation_dataset',
      ...answer,
      experiment_ids: [],
      tags,
    }),
  );

/** Answer of datasets/create. */
export const datasetGet = z.object({ dataset: datasetAnswer });

/** Answer of datasets/search. */
export const datasetPage = z.object({
  datasets: z.array(datasetAnswer).default([]),
  next_page_token: z.string().optional(),
});

/** Answer of datasets/{id}/experiment-ids, sorted. */
export const datasetExperiments = z.object({
  experiment_ids: z
    .array(z.string().min(1))
    .default([])
    .transform((ids) => ids.toSorted()),
});

/** Answer of datasets/{id}/records: a list as JSON in a text. */
export const datasetRecordPage = z.object({
  records: typedText
    .optional()
    .transform((list): unknown => (Array.isArray(list) ? list.map(recordFromJson) : []))
    .pipe(z.array(evaluationDatasetRecord)),
  next_page_token: z.string().optional(),
});
