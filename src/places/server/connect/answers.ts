import { z } from 'zod';
import { DELETED_TIME_TAG } from '../../../model/canonical.ts';
import { type Int64, int64Answer, toInt64 } from '../../../model/int64.ts';
import { type LoggedModel, MODEL_STATUSES, sortModelMetrics } from '../../../model/logged-model.ts';
import { metricValue } from '../../../model/metric-value.ts';
import {
  type DatasetInput,
  type Experiment,
  lifecycleStage,
  type Point,
  type Run,
  runStatus,
} from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';

/**
 * Answers of MLflow's REST API, as far as mlferry needs them. Fields that are unset, and empty lists, are left out by
 * the server; int64 stand as numbers or as decimal strings.
 */

/** Tags and params as servers write them. */
export const keyValues = z.array(z.object({ key: z.string(), value: z.string().default('') })).default([]);
/** The map of {@link keyValues}. */
export const toMap = (pairs: z.infer<typeof keyValues>) =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, value]));

const metric = z.object({
  key: z.string(),
  // A double that is written as an integer beyond 2^53 comes as text from fromServerJson.
  value: z
    .union([
      metricValue,
      z
        .string()
        .regex(/^-?\d{1,400}$/)
        .transform(Number),
    ])
    .default(0),
  timestamp: int64Answer.default(0),
  step: int64Answer.default(0),
});

const experimentAnswer = z
  .object({
    experiment_id: z.string().min(1),
    name: z.string(),
    artifact_location: z.string().default(''),
    lifecycle_stage: lifecycleStage,
    creation_time: int64Answer.optional(),
    last_update_time: int64Answer.optional(),
    tags: keyValues,
  })
  .transform(
    (answer): Experiment => ({
      kind: 'experiment',
      experiment_id: answer.experiment_id,
      name: answer.name,
      artifact_location: answer.artifact_location,
      lifecycle_stage: answer.lifecycle_stage,
      ...(answer.creation_time === undefined ? {} : { creation_time: answer.creation_time }),
      ...(answer.last_update_time === undefined ? {} : { last_update_time: answer.last_update_time }),
      tags: toMap(answer.tags),
    }),
  );

/** Answer of experiments/get. */
export const experimentGet = z.object({ experiment: experimentAnswer });

/** Answer of experiments/search. */
export const experimentPage = z.object({
  experiments: z.array(experimentAnswer).default([]),
  next_page_token: z.string().optional(),
});

const datasetInputAnswer = z
  .object({
    dataset: z.object({
      name: z.string(),
      digest: z.string(),
      source_type: z.string().default(''),
      source: z.string().default(''),
      schema: z.string().optional(),
      profile: z.string().optional(),
    }),
    tags: keyValues,
  })
  .transform(({ dataset: { schema, profile, ...dataset }, tags }): DatasetInput => {
    const optional = {
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    };
    return { dataset: { ...dataset, ...optional }, tags: toMap(tags) };
  });

/** No server tells when a run was deleted; mlferry's tag does, where mlferry deleted it. */
function deletedTime(tags: Run['tags']): Int64 | undefined {
  return toInt64(ownValue(tags, DELETED_TIME_TAG) ?? '');
}

/** A run as the server tells it; its `model_inputs` are told by runs/get only. */
export interface ServerRun {
  readonly run: Run;
}

const modelInputs = z.array(z.object({ model_id: z.string().min(1) })).default([]);
const modelOutputs = z
  .array(z.object({ model_id: z.string().min(1), step: int64Answer.default(0) }))
  .default([]);

const runAnswer = z
  .object({
    info: z.object({
      run_id: z.string().min(1),
      experiment_id: z.string().min(1),
      run_name: z.string().optional(),
      user_id: z.string().default(''),
      status: runStatus,
      start_time: int64Answer.optional(),
      end_time: int64Answer.optional(),
      artifact_uri: z.string().default(''),
      lifecycle_stage: lifecycleStage,
    }),
    data: z
      .object({ metrics: z.array(metric).default([]), params: keyValues, tags: keyValues })
      .default({ metrics: [], params: [], tags: [] }),
    inputs: z
      .object({
        dataset_inputs: z.array(datasetInputAnswer).default([]),
        model_inputs: modelInputs,
      })
      .default({ dataset_inputs: [], model_inputs: [] }),
    outputs: z.object({ model_outputs: modelOutputs }).default({ model_outputs: [] }),
  })
  .transform(({ info, data, inputs, outputs }): ServerRun => {
    const tags = toMap(data.tags);
    const latest = data.metrics.map(({ key, step, timestamp, value }): [string, Point] => [
      key,
      [step, timestamp, value],
    ]);
    const deleted_time = info.lifecycle_stage === 'deleted' ? deletedTime(tags) : undefined;
    const run: Run = {
      kind: 'run',
      run_id: info.run_id,
      experiment_id: info.experiment_id,
      run_name: info.run_name ?? '',
      user_id: info.user_id,
      status: info.status,
      start_time: info.start_time ?? null,
      end_time: info.end_time ?? null,
      lifecycle_stage: info.lifecycle_stage,
      ...(deleted_time === undefined ? {} : { deleted_time }),
      artifact_uri: info.artifact_uri,
      params: toMap(data.params),
      tags,
      dataset_inputs: inputs.dataset_inputs,
      ...(inputs.model_inputs.length === 0 ? {} : { model_inputs: inputs.model_inputs }),
      ...(outputs.model_outputs.length === 0 ? {} : { model_outputs: outputs.model_outputs }),
      latest_metrics: Object.fromEntries(latest),
    };
    return { run };
  });

/** Answer of runs/get. */
export const runGet = z.object({ run: runAnswer });

/** Answer of runs/search. */
export const runPage = z.object({
  runs: z.array(runAnswer).default([]),
  next_page_token: z.string().optional(),
});

const loggedModelAnswer = z
  .object({
    info: z.object({
      model_id: z.string().min(1),
      experiment_id: z.string().min(1),
      name: z.string().default(''),
      creation_timestamp_ms: int64Answer.default(0),
      last_updated_timestamp_ms: int64Answer.default(0),
      artifact_uri: z.string().default(''),
      status: z.enum(MODEL_STATUSES).default('LOGGED_MODEL_STATUS_UNSPECIFIED'),
      model_type: z.string().optional(),
      source_run_id: z.string().optional(),
      status_message: z.string().optional(),
      tags: keyValues,
    }),
    data: z
      .object({
        params: keyValues,
        metrics: z
          .array(
            metric.extend({
              run_id: z.string().optional(),
              dataset_name: z.string().optional(),
              dataset_digest: z.string().optional(),
            }),
          )
          .default([]),
      })
      .default({ params: [], metrics: [] }),
  })
  .transform(({ info, data }): LoggedModel => {
    const text = (field: 'model_type' | 'source_run_id' | 'status_message') =>
      info[field] ? { [field]: info[field] } : {};
    return {
      kind: 'logged_model',
      model_id: info.model_id,
      experiment_id: info.experiment_id,
      name: info.name,
      ...text('model_type'),
      ...text('source_run_id'),
      status: info.status,
      ...text('status_message'),
      creation_timestamp_ms: info.creation_timestamp_ms,
      last_updated_timestamp_ms: info.last_updated_timestamp_ms,
      artifact_uri: info.artifact_uri,
      params: toMap(data.params),
      tags: toMap(info.tags),
      metrics: sortModelMetrics(
        data.metrics.map(({ run_id, dataset_name, dataset_digest, ...point }) => ({
          ...point,
          ...(run_id ? { run_id } : {}),
          ...(dataset_name ? { dataset_name } : {}),
          ...(dataset_digest ? { dataset_digest } : {}),
        })),
      ),
    };
  });

/** Answer of a logged model's own route and of its creation. */
export const loggedModelGet = z.object({ model: loggedModelAnswer });

/** Answer of logged-models/search; deleted ones are never among them. */
export const loggedModelPage = z.object({
  models: z.array(loggedModelAnswer).default([]),
  next_page_token: z.string().optional(),
});

/** Answer of any search of which only the number of hits matters; `items` is the name of the list. */
export function countedPage(items: string) {
  return z.looseObject({ next_page_token: z.string().optional() }).transform((page) => ({
    count: Array.isArray(page[items]) ? page[items].length : 0,
    next_page_token: page.next_page_token,
  }));
}

/** Answer of server-info. */
export const serverInfo = z.object({
  store_type: z.string().optional(),
  workspaces_enabled: z.boolean().optional(),
  /** Told by `mlferry serve`. */
  mlferry_serves: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional()
    .catch(undefined),
});

/** Answer of experiments/create. */
export const createdExperiment = z.object({ experiment_id: z.string().min(1) });

const runCount = z.int().nonnegative().default(0);
/** Answers of Databricks' delete-runs and restore-runs. */
export const deletedRuns = z.object({ runs_deleted: runCount });
export const restoredRuns = z.object({ runs_restored: runCount });

/** Answer of artifacts/list: one level. `file_size` is left out for empty files. */
export const artifactPage = z.object({
  files: z
    .array(
      z.object({ path: z.string(), is_dir: z.boolean().default(false), file_size: int64Answer.optional() }),
    )
    .default([]),
  next_page_token: z.string().optional(),
});
