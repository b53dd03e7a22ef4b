import { z } from 'zod';
import { type Int64, toInt64 } from '../../../model/int64.ts';
import { type LoggedModel, MODEL_STATUSES } from '../../../model/logged-model.ts';
import { RUN_STATUSES } from '../../../model/mlflow/statuses.ts';
import { ENTRY_POINT_TAG, SOURCE_COMMIT_TAG, SOURCE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import type { Run } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';

/** The fields of `meta.yaml` that mlferry reads, of every MLflow since 0.x. All scalars are texts (see meta-yaml.ts). */

const text = z.string().nullish();

const experimentFields = z.looseObject({
  experiment_id: z.string(),
  name: z.string(),
  artifact_location: text,
  lifecycle_stage: text,
  creation_time: text,
  last_update_time: text,
});

const runFields = z.looseObject({
  run_id: text,
  run_uuid: text,
  experiment_id: z.string(),
  run_name: text,
  name: text,
  user_id: text,
  status: text,
  start_time: text,
  end_time: text,
  lifecycle_stage: text,
  deleted_time: text,
  artifact_uri: text,
  source_name: text,
  source_version: text,
  entry_point_name: text,
});

const modelFields = z.looseObject({
  model_id: z.string().min(1),
  experiment_id: z.string(),
  name: text,
  model_type: text,
  source_run_id: text,
  status: z.string(),
  status_message: text,
  creation_timestamp: text,
  last_updated_timestamp: text,
  artifact_location: text,
  lifecycle_stage: text,
});

/** An experiment's `meta.yaml`. */
export interface ExperimentMeta {
  readonly experiment_id: string;
  readonly name: string;
  readonly artifact_location: string;
  readonly lifecycle_stage: 'active' | 'deleted';
  readonly creation_time: Int64 | undefined;
  readonly last_update_time: Int64 | undefined;
}

/** A run's `meta.yaml`; `legacyTags` are fields of MLflow before 1.0 that are tags since. */
export interface RunMeta extends Omit<Run, 'kind' | 'params' | 'tags' | 'dataset_inputs' | 'latest_metrics'> {
  readonly legacyTags: ReadonlyArray<readonly [key: string, value: string]>;
  /** Fields whose time had a fraction of a millisecond, which was cut off. */
  readonly cutTimes: readonly string[];
}

function parse<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue === undefined || issue.path.length === 0 ? '' : ` ${issue.path.join('.')}`;
  throw new MlferryError(
    'SOURCE_ITEM',
    `${path} is not what MLflow writes:${field} ${issue?.message ?? 'unreadable'}`,
  );
}

function stage(value: string | null | undefined, path: string): 'active' | 'deleted' {
  if (value === undefined || value === null || value === 'active') return 'active';
  if (value === 'deleted') return 'deleted';
  throw new MlferryError('SOURCE_ITEM', `${path}: lifecycle_stage "${value}" is not known`);
}

function time(
  value: string | null | undefined,
  field: string,
  path: string,
  cut: string[],
): Int64 | undefined {
  if (value === undefined || value === null) return undefined;
  if (/^[-+]?\d+\.\d*(?:[eE][-+]?\d+)?$/.test(value)) {
    const number = Number(value);
    if (!Number.isInteger(number)) cut.push(field);
    return toInt64(Math.trunc(number)) ?? outOfRange(value, field, path);
  }
  return toInt64(value.replace(/^\+/, '').replaceAll('_', '')) ?? outOfRange(value, field, path);
}

function outOfRange(value: string, field: string, path: string): never {
  throw new MlferryError('SOURCE_ITEM', `${path}: ${field} "${value}" is not a time in milliseconds`);
}

function status(value: string | null | undefined, path: string): Run['status'] {
  if (value === undefined || value === null) return 'RUNNING';
  const found = RUN_STATUSES.find((name, index) => name === value || String(index + 1) === value);
  if (found === undefined) throw new MlferryError('SOURCE_ITEM', `${path}: status "${value}" is not known`);
  return found;
}

/** Reads an experiment's meta fields; `path` is for messages. Throws SOURCE_ITEM. */
export function toExperimentMeta(value: unknown, path: string): ExperimentMeta {
  const fields = parse(experimentFields, value, path);
  const cut: string[] = [];
  return {
    experiment_id: fields.experiment_id,
    name: fields.name,
    artifact_location: fields.artifact_location ?? '',
    lifecycle_stage: stage(fields.lifecycle_stage, path),
    creation_time: time(fields.creation_time, 'creation_time', path, cut),
    last_update_time: time(fields.last_update_time, 'last_update_time', path, cut),
  };
}

/** Reads a run's meta fields; `path` is for messages. Throws SOURCE_ITEM. */
export function toRunMeta(value: unknown, path: string): RunMeta {
  const fields = parse(runFields, value, path);
  const run_id = fields.run_id ?? fields.run_uuid;
  if (run_id === undefined || run_id === null || run_id === '') {
    throw new MlferryError('SOURCE_ITEM', `${path} has no run_id`);
  }
  const cutTimes: string[] = [];
  const lifecycle_stage = stage(fields.lifecycle_stage, path);
  const deleted_time = time(fields.deleted_time, 'deleted_time', path, cutTimes);
  const legacy: ReadonlyArray<readonly [string, string | null | undefined]> = [
    [SOURCE_NAME_TAG, fields.source_name],
    [SOURCE_COMMIT_TAG, fields.source_version],
    [ENTRY_POINT_TAG, fields.entry_point_name],
  ];
  return {
    run_id,
    experiment_id: fields.experiment_id,
    run_name: fields.run_name || fields.name || '',
    user_id: fields.user_id ?? '',
    status: status(fields.status, path),
    start_time: time(fields.start_time, 'start_time', path, cutTimes) ?? null,
    end_time: time(fields.end_time, 'end_time', path, cutTimes) ?? null,
    lifecycle_stage,
    ...(deleted_time === undefined || lifecycle_stage === 'active' ? {} : { deleted_time }),
    artifact_uri: fields.artifact_uri ?? '',
    legacyTags: legacy.flatMap(([key, tag]) => (tag ? [[key, tag] as const] : [])),
    cutTimes,
  };
}

/** A logged model's `meta.yaml` (MLflow 3); `deleted`: MLflow no longer tells of it. */
export interface ModelMeta extends Omit<LoggedModel, 'kind' | 'params' | 'tags' | 'metrics'> {
  readonly deleted: boolean;
}

/** Reads a logged model's meta fields; `path` is for messages. Throws SOURCE_ITEM. */
export function toModelMeta(value: unknown, path: string): ModelMeta {
  const fields = parse(modelFields, value, path);
  const given = (field: 'model_type' | 'source_run_id' | 'status_message') =>
    fields[field] ? { [field]: fields[field] } : {};
  const at = (field: 'creation_timestamp' | 'last_updated_timestamp') =>
    time(fields[field], field, path, []) ?? 0;
  const status = MODEL_STATUSES.find(
    (name, index) => name === fields.status || String(index) === fields.status,
  );
  if (status === undefined)
    throw new MlferryError('SOURCE_ITEM', `${path}: status "${fields.status}" is not known`);
  return {
    model_id: fields.model_id,
    experiment_id: fields.experiment_id,
    name: fields.name ?? '',
    ...given('model_type'),
    ...given('source_run_id'),
    status,
    ...given('status_message'),
    creation_timestamp_ms: at('creation_timestamp'),
    last_updated_timestamp_ms: at('last_updated_timestamp'),
    artifact_uri: fields.artifact_location ?? '',
    deleted: stage(fields.lifecycle_stage, path) === 'deleted',
  };
}

/** MLflow's number of a status in `meta.yaml`. */
export function statusNumber(name: Run['status']): number {
  return RUN_STATUSES.indexOf(name) + 1;
}
