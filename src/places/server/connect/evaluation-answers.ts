import { z } from 'zod';
import {
  type EvaluationDataset,
  type EvaluationDatasetRecord,
  inputHash,
} from '../../../model/evaluation-dataset.ts';
import { exactJson, parseExactJson } from '../../../model/exact-json.ts';
import type { Scorer } from '../../../model/scorer.ts';
import { int64Answer } from './answers.ts';

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

/** JSON in a text. What it holds is read with every number as it was written. */
const exactText = z.string().transform((text, context): unknown => {
  try {
    return parseExactJson(text);
  } catch {
    context.addIssue({ code: 'custom', message: 'is not JSON' });
    return z.NEVER;
  }
});

const tagTexts = exactText.transform((value) =>
  Object.fromEntries(
    Object.entries(z.record(z.string(), z.unknown()).parse(value)).map(([key, tag]) => [
      key,
      typeof tag === 'string' ? tag : exactJson(tag),
    ]),
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

const present = z
  .unknown()
  .transform((value) => (value === null || value === undefined ? undefined : exactJson(value)));

/** `source_id` and `source_type` only repeat what stands in `source`. */
const recordAnswer = z
  .object({
    dataset_record_id: z.string().min(1),
    dataset_id: z.string().min(1),
    inputs: z.unknown().transform((value) => exactJson(value ?? {})),
    outputs: present,
    expectations: present,
    tags: present,
    source: present,
    ...people,
    created_time: z.unknown(),
    last_update_time: z.unknown(),
  })
  .transform(({ created_time, last_update_time, outputs, expectations, tags, source, ...answer }) => ({
    kind: 'evaluation_dataset_record' as const,
    ...answer,
    input_hash: inputHash(answer.inputs),
    ...(outputs === undefined ? {} : { outputs }),
    ...(expectations === undefined ? {} : { expectations }),
    ...(tags === undefined ? {} : { tags }),
    ...(source === undefined ? {} : { source }),
    created_time: int64Answer.parse(JSON.parse(exactJson(created_time ?? 0))),
    last_update_time: int64Answer.parse(JSON.parse(exactJson(last_update_time ?? 0))),
  }));

/** Answer of datasets/{id}/records: a list as JSON in a text. */
export const datasetRecordPage = z.object({
  records: exactText
    .optional()
    .transform((list): EvaluationDatasetRecord[] => z.array(recordAnswer).parse(list ?? [])),
  next_page_token: z.string().optional(),
});
