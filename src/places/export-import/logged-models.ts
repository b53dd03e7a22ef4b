import { z } from 'zod';
import { kindOf } from '../../kinds/kinds.ts';
import { compareInt64, type Int64, int64Answer } from '../../model/int64.ts';
import {
  type LoggedModel,
  loggedModel,
  MODEL_STATUSES,
  modelMetric,
  sortModelMetrics,
} from '../../model/logged-model.ts';
import { stringMap } from '../../model/string-map.ts';
import type { ObjectSource } from '../objects.ts';
import type { Catalogue } from './catalogue.ts';
import { checked, defined, exportId, exportTags, readExportFile, textOrNone } from './export-file.ts';
import { filesBeside } from './files-beside.ts';
import type { Notes } from './notes.ts';

const time = int64Answer.nullish().transform((ms): Int64 => ms ?? 0);

/** Python's names of statuses (mlflow/entities/logged_model_status.py); the REST API calls the last one otherwise. */
const status = z
  .string()
  .nullish()
  .transform((name) => {
    const found = MODEL_STATUSES.find((known) => known === `LOGGED_MODEL_${name}`);
    return found ?? (name === 'FAILED' ? 'LOGGED_MODEL_UPLOAD_FAILED' : 'LOGGED_MODEL_STATUS_UNSPECIFIED');
  });

const metric = z
  .object({
    key: z.string(),
    value: modelMetric.shape.value,
    timestamp: int64Answer,
    step: int64Answer.default(0),
    run_id: textOrNone,
    dataset_name: textOrNone,
    dataset_digest: textOrNone,
  })
  .transform((fields) => defined(fields));

const modelFile = z
  .object({
    model_id: z.string().min(1),
    experiment_id: exportId,
    name: z.string().nullish(),
    model_type: textOrNone,
    source_run_id: textOrNone,
    status,
    status_message: textOrNone,
    creation_time: time,
    last_updated_timestamp: time,
    artifact_location: z.string().nullish(),
    params: stringMap.nullish(),
    tags: exportTags,
    metrics: z.array(metric).nullish(),
  })
  .transform(
    ({
      creation_time,
      last_updated_timestamp,
      artifact_location,
      metrics,
      params,
      name,
      ...fields
    }): LoggedModel => ({
      kind: 'logged_model',
      ...defined(fields),
      name: name ?? '',
      creation_timestamp_ms: creation_time,
      last_updated_timestamp_ms: last_updated_timestamp,
      artifact_uri: artifact_location ?? '',
      params: params ?? {},
      metrics: sortModelMetrics(metrics ?? []),
    }),
  );

/** Where a logged model stands, and what its place in the order follows from. */
export interface ModelEntry
  extends Pick<LoggedModel, 'model_id' | 'experiment_id' | 'creation_timestamp_ms'> {
  readonly path: string;
}

/** The logged models of an export, each once: they are exported with their experiment and once more with versions made of them. */
export function listLoggedModels({ files }: Catalogue, notes: Notes): readonly ModelEntry[] {
  const entries = new Map<string, ModelEntry>();
  for (const path of files.get('logged model') ?? []) {
    try {
      const { model_id, experiment_id, creation_timestamp_ms } = readModel(path);
      if (!entries.has(model_id))
        entries.set(model_id, { model_id, experiment_id, creation_timestamp_ms, path });
    } catch (error) {
      notes.failFile(path, error);
    }
  }
  return [...entries.values()].sort(
    (a, b) =>
      compareInt64(a.creation_timestamp_ms, b.creation_timestamp_ms) || (a.model_id < b.model_id ? -1 : 1),
  );
}

function readModel(path: string): LoggedModel {
  return loggedModel.parse(checked(modelFile, readExportFile(path).body, path));
}

/** The logged models of an export, of these experiments. */
export function loggedModels(entries: () => readonly ModelEntry[], notes: Notes): ObjectSource {
  const of = kindOf('logged_model');
  return {
    async *read({ experiments }) {
      for (const { experiment_id, name } of experiments) {
        for (const entry of entries()) {
          if (entry.experiment_id !== experiment_id) continue;
          const record = readModel(entry.path);
          const owner = {
            experiment_name: name,
            of: { kind: of.kind, id: record.model_id, name: record.name },
          };
          yield { of, record, ...filesBeside(entry.path, (loss) => notes.loss({ ...loss, ...owner })) };
        }
      }
    },
  };
}
