import { createHash } from 'node:crypto';
import { z } from 'zod';
import { int64, toInt64 } from './int64.ts';
import { stringMap } from './string-map.ts';
import { canonicalJson, isMap, isNumber, printTypedJson, type TypedJson } from './typed-json.ts';

/** A dataset that generative applications are judged by (MLflow 3.4 and newer), without its records. */
export const evaluationDataset = z.strictObject({
  kind: z.literal('evaluation_dataset'),
  dataset_id: z.string().min(1).meta({ identifies: 'evaluation_dataset' }),
  name: z.string(),
  experiment_ids: z.array(z.string().min(1).meta({ references: 'experiment', bound: true })),
  tags: stringMap.meta({ mentions: true }),
  /** Digest, schema and profile are made by the server of the records: JSON texts. */
  digest: z.string().meta({ placed: true }).optional(),
  schema: z.string().meta({ placed: true }).optional(),
  profile: z.string().meta({ placed: true }).optional(),
  /** ms since the epoch. */
  created_time: int64.meta({ placed: true }),
  last_update_time: int64.meta({ placed: true }),
  created_by: z.string().meta({ placed: true }).optional(),
  last_updated_by: z.string().meta({ placed: true }).optional(),
});
export type EvaluationDataset = z.infer<typeof evaluationDataset>;

/**
 * One record of an evaluation dataset. What a dataset has once is its inputs, so their hash is the record's id here as in
 * MLflow; JSON texts have every number as it was written.
 */
export const evaluationDatasetRecord = z.strictObject({
  kind: z.literal('evaluation_dataset_record'),
  dataset_id: z
    .string()
    .min(1)
    .meta({ identifies: 'evaluation_dataset_record', references: 'evaluation_dataset' }),
  /** sha256 (hex) of the inputs, see {@link inputHash}. */
  input_hash: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .meta({ identifies: 'evaluation_dataset_record' }),
  dataset_record_id: z.string().min(1).meta({ placed: true }),
  inputs: z.string(),
  outputs: z.string().optional(),
  expectations: z.string().optional(),
  tags: z.string().meta({ mentions: true }).optional(),
  /** Type and data of where it comes from, for one the id of a trace. */
  source: z.string().optional(),
  /** ms since the epoch. */
  created_time: int64.meta({ placed: true }),
  last_update_time: int64.meta({ placed: true }),
  created_by: z.string().meta({ placed: true }).optional(),
  last_updated_by: z.string().meta({ placed: true }).optional(),
});
export type EvaluationDatasetRecord = z.infer<typeof evaluationDatasetRecord>;

/** The hash of inputs (JSON), the same for every order of their keys. */
export function inputHash(inputs: string): string {
  return createHash('sha256').update(canonicalJson(inputs)).digest('hex');
}

/** The hash of inputs that MLflow itself keeps in its store: of Python's `json.dumps(inputs, sort_keys=True)`, which is ASCII. */
export function storedInputHash(inputs: string): string {
  const escaped = canonicalJson(inputs).replace(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return createHash('sha256').update(escaped).digest('hex');
}

/** A record as MLflow's `DatasetRecord` tells it, whose own values stay JSON texts. `source_id` and `source_type` only repeat what stands in `source`. */
export function recordFromJson(value: TypedJson): unknown {
  const fields = isMap(value) ? value : new Map<string, TypedJson>();
  const text = (name: string) => {
    const found = fields.get(name);
    return typeof found === 'string' ? { [name]: found } : {};
  };
  const json = (name: string) => {
    const found = fields.get(name);
    return found === undefined || found === null ? {} : { [name]: printTypedJson(found) };
  };
  const time = (name: string) => {
    const found = fields.get(name);
    return { [name]: isNumber(found) ? toInt64(found.number) : 0 };
  };
  const inputs = printTypedJson(fields.get('inputs') ?? new Map());
  return {
    kind: 'evaluation_dataset_record',
    ...text('dataset_id'),
    input_hash: inputHash(inputs),
    ...text('dataset_record_id'),
    inputs,
    ...json('outputs'),
    ...json('expectations'),
    ...json('tags'),
    ...json('source'),
    ...time('created_time'),
    ...time('last_update_time'),
    ...text('created_by'),
    ...text('last_updated_by'),
  };
}
