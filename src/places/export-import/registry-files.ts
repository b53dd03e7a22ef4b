import { z } from 'zod';
import { type Int64, int64Answer } from '../../model/int64.ts';
import { MODEL_STAGES } from '../../model/mlflow/model-stages.ts';
import type { ModelVersion, RegisteredModel } from '../../model/registered-model.ts';
import { checked, defined, exportTags, readExportFile, textOrNone } from './export-file.ts';

const time = int64Answer.nullish().transform((ms): Int64 => ms ?? 0);
const number = z.union([z.string(), z.int()]).transform(String);

const modelFields = z
  .object({
    name: z.string().min(1),
    description: textOrNone,
    creation_timestamp: time,
    last_updated_timestamp: time,
    tags: exportTags,
  })
  .transform((fields): RegisteredModel => ({ kind: 'registered_model', ...defined(fields) }));

const versionFields = z
  .object({
    name: z.string().min(1),
    version: number.pipe(z.string().regex(/^[1-9]\d{0,8}$/)),
    description: textOrNone,
    current_stage: z
      .string()
      .nullish()
      .transform((stage) => stage || MODEL_STAGES[0]),
    aliases: z.array(z.string()).nullish(),
    source: z.string().nullish(),
    // The URI, where the path of a copy in the export stands in `source`.
    _source: textOrNone,
    run_id: textOrNone,
    run_link: textOrNone,
    model_id: textOrNone,
    status: z.string().nullish(),
    status_message: textOrNone,
    user_id: textOrNone,
    creation_timestamp: time,
    last_updated_timestamp: time,
    tags: exportTags,
    _experiment_name: textOrNone,
  })
  .transform(({ _source, source, aliases, status, _experiment_name, ...fields }) => {
    const record: ModelVersion = {
      kind: 'model_version',
      ...defined(fields),
      aliases: aliases ?? [],
      source: _source ?? source ?? '',
      status: status || 'READY',
    };
    return { record, copied_to: _source && source ? source : undefined, experiment_name: _experiment_name };
  });

const aliasList = z
  .array(z.object({ alias: z.string(), version: number }))
  .nullish()
  .transform((list) => list ?? []);

const versionList = z.array(z.unknown()).nullish();

/** `latest_versions` had all of them until March 2023. */
const modelFile = z.object({
  registered_model: z.looseObject({
    aliases: aliasList,
    versions: versionList,
    latest_versions: versionList,
    permissions: z.unknown().optional(),
  }),
});

const versionFile = z.object({ model_version: z.unknown() });

const failures = z.object({ failed_versions: z.array(z.unknown()) });

/** A version of an export. */
export interface ExportedVersion {
  readonly record: ModelVersion;
  /** The file that tells of it. */
  readonly path: string;
  /** Its files among those of its run, where they were put there when it was exported. */
  readonly copied_to: string | undefined;
  /** The name of its run's experiment. */
  readonly experiment_name: string | undefined;
}

/** A registered model of an export. */
export interface ExportedModel {
  readonly record: RegisteredModel;
  readonly versions: readonly ExportedVersion[];
  readonly aliases: ReadonlyArray<{ readonly alias: string; readonly version: string }>;
  /** Versions that could not be exported, by the file's own word. */
  readonly failed: number;
  readonly hasPermissions: boolean;
}

/** Reads a model.json; a version that cannot be read goes to `fail`. Throws SOURCE_ITEM, a system error. */
export function readModelFile(path: string, fail: (object: string, error: unknown) => void): ExportedModel {
  const { body, info } = readExportFile(path);
  const { registered_model: found } = checked(modelFile, body, path);
  const record = checked(modelFields, found, path);
  const versions: ExportedVersion[] = [];
  for (const [index, item] of (found.versions ?? found.latest_versions ?? []).entries()) {
    try {
      versions.push({ ...checked(versionFields, item, path), path });
    } catch (error) {
      fail(`a version of registered model "${record.name}" (${index + 1} in the file)`, error);
    }
  }
  return {
    record,
    versions,
    aliases: found.aliases,
    failed: failures.safeParse(info).data?.failed_versions.length ?? 0,
    hasPermissions: found.permissions !== undefined,
  };
}

/** Reads a version.json. Throws SOURCE_ITEM, a system error. */
export function readVersionFile(path: string): ExportedVersion {
  const { model_version } = checked(versionFile, readExportFile(path).body, path);
  return { ...checked(versionFields, model_version, path), path };
}
