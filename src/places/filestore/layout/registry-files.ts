import { join } from 'node:path';
import { z } from 'zod';
import { type Int64, toInt64 } from '../../../model/int64.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { MetaValue } from './meta-yaml.ts';

/**
 * The model registry of a store: `models/<name>/{meta.yaml,tags/,aliases/<alias>,version-<n>/{meta.yaml,tags/}}`
 * (mlflow/store/model_registry/file_store.py).
 */

/** MLflow's stage of a version that was deleted: its directory stays. */
export const DELETED_STAGE = 'Deleted_Internal';

/** The directory of all registered models. */
export const registryOf = (root: string) => join(root, 'models');

/** The directory of a version, in that of its registered model. */
export const versionDirectory = (version: string) => `version-${version}`;

const text = z.string().nullish();

const modelFields = z.looseObject({
  name: z.string().min(1),
  description: text,
  creation_timestamp: text,
  last_updated_timestamp: text,
});

const versionFields = z.looseObject({
  name: z.string().min(1),
  version: z.string().regex(/^[1-9]\d{0,8}$/),
  description: text,
  current_stage: text,
  source: text,
  run_id: text,
  run_link: text,
  model_id: text,
  status: text,
  status_message: text,
  user_id: text,
  creation_timestamp: text,
  last_updated_timestamp: text,
});

function parsed<T>(schema: z.ZodType<T>, value: unknown, path: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw new MlferryError(
    'SOURCE_ITEM',
    `${path} is not what MLflow writes: ${issue?.path.join('.')} ${issue?.message ?? ''}`,
  );
}

const time = (value: string | null | undefined): Int64 => toInt64(value ?? '0') ?? 0;

/** The fields among these that have a text. */
function given<T extends Readonly<Record<string, string | null | undefined>>, K extends keyof T & string>(
  fields: T,
  names: readonly K[],
): Partial<Record<K, string>> {
  const entries = names.flatMap((name): [K, string][] => {
    const value = fields[name];
    return value ? [[name, value]] : [];
  });
  const result: Partial<Record<K, string>> = {};
  for (const [name, value] of entries) result[name] = value;
  return result;
}

/** Reads a registered model's meta fields; `path` is for messages. Throws SOURCE_ITEM. */
export function toRegisteredModel(value: unknown, path: string): Omit<RegisteredModel, 'tags'> {
  const { name, description, creation_timestamp, last_updated_timestamp } = parsed(modelFields, value, path);
  return {
    kind: 'registered_model',
    name,
    ...given({ description }, ['description']),
    creation_timestamp: time(creation_timestamp),
    last_updated_timestamp: time(last_updated_timestamp),
  };
}

/** Reads a version's meta fields; `path` is for messages. Throws SOURCE_ITEM. */
export function toModelVersion(value: unknown, path: string): Omit<ModelVersion, 'tags' | 'aliases'> {
  const fields = parsed(versionFields, value, path);
  const { description, run_id, run_link, model_id, status_message, user_id } = fields;
  return {
    kind: 'model_version',
    name: fields.name,
    version: fields.version,
    ...given({ description }, ['description']),
    current_stage: fields.current_stage ?? MODEL_STAGES[0],
    source: fields.source ?? '',
    ...given({ run_id, run_link, model_id, status_message, user_id }, [
      'run_id',
      'run_link',
      'model_id',
      'status_message',
      'user_id',
    ]),
    status: fields.status ?? 'READY',
    creation_timestamp: time(fields.creation_timestamp),
    last_updated_timestamp: time(fields.last_updated_timestamp),
  };
}

/** `meta.yaml` of a registered model. */
export function registeredModelMeta(model: RegisteredModel): { [key: string]: MetaValue } {
  return {
    creation_timestamp: BigInt(model.creation_timestamp),
    description: model.description ?? null,
    last_updated_timestamp: BigInt(model.last_updated_timestamp),
    name: model.name,
  };
}

/** `meta.yaml` of a version; `storage_location`: where its files are. */
export function modelVersionMeta(
  version: ModelVersion,
  storage_location: string,
): { [key: string]: MetaValue } {
  return {
    creation_timestamp: BigInt(version.creation_timestamp),
    current_stage: version.current_stage,
    description: version.description ?? null,
    last_updated_timestamp: BigInt(version.last_updated_timestamp),
    ...(version.model_id === undefined ? {} : { model_id: version.model_id }),
    name: version.name,
    run_id: version.run_id ?? null,
    run_link: version.run_link ?? null,
    source: version.source,
    status: version.status,
    status_message: version.status_message ?? null,
    storage_location,
    user_id: version.user_id ?? null,
    version: Number(version.version),
  };
}
