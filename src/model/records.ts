import { z } from 'zod';
import { int64 } from './int64.ts';
import { metricValue } from './metric-value.ts';
import { RUN_STATUSES } from './mlflow/statuses.ts';
import { mapOf, stringMap } from './string-map.ts';

/**
 * The records that flow from a reader to a writer and stand, one a line, in archives and streams. Field names are
 * MLflow's own. What is in memory is what is on the wire: there are no transforms. Times are ms since the epoch.
 */

/** Metadata marks what an id is of, see src/kinds/marks.ts. */
const experimentId = z.string().min(1);
const runId = z.string().min(1);

/** Hex. */
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** `active` or `deleted` (MLflow's soft delete). */
export const lifecycleStage = z.enum(['active', 'deleted']);

/** MLflow's run statuses. */
export const runStatus = z.enum(RUN_STATUSES);

/** One logged value: `[step, timestamp, value]`. */
export const point = z.tuple([int64, int64, metricValue]);
export type Point = z.infer<typeof point>;

/** An experiment. Times are absent where the source does not know them (MLflow before 1.29). */
export const experiment = z.strictObject({
  kind: z.literal('experiment'),
  experiment_id: experimentId.meta({ identifies: 'experiment' }),
  name: z.string(),
  artifact_location: z.string().meta({ placed: true }),
  lifecycle_stage: lifecycleStage,
  creation_time: int64.optional(),
  last_update_time: int64.optional(),
  tags: stringMap,
});
export type Experiment = z.infer<typeof experiment>;

/** A dataset a run read, with the tags of that reading (`mlflow.data.context` …). */
export const datasetInput = z.strictObject({
  dataset: z.strictObject({
    name: z.string(),
    digest: z.string(),
    source_type: z.string(),
    source: z.string().meta({ mentions: true }),
    schema: z.string().optional(),
    profile: z.string().optional(),
  }),
  tags: stringMap,
});
export type DatasetInput = z.infer<typeof datasetInput>;

/** A logged model (MLflow 3) that a run read. */
export const modelInput = z.strictObject({
  model_id: z.string().min(1).meta({ references: 'logged_model' }),
});
export type ModelInput = z.infer<typeof modelInput>;

/** A logged model that a run made, and at which step. */
export const modelOutput = z.strictObject({
  model_id: z.string().min(1).meta({ references: 'logged_model' }),
  step: int64,
});
export type ModelOutput = z.infer<typeof modelOutput>;

/**
 * A run without its series and bytes. `latest_metrics` is MLflow's: per key the point with the greatest
 * (step, timestamp, value), NaN counting as 0. `end_time` is null while the run has not ended.
 */
export const run = z.strictObject({
  kind: z.literal('run'),
  run_id: runId.meta({ identifies: 'run' }),
  experiment_id: experimentId.meta({ references: 'experiment' }),
  run_name: z.string(),
  user_id: z.string(),
  status: runStatus,
  start_time: int64.nullable(),
  end_time: int64.nullable(),
  lifecycle_stage: lifecycleStage,
  deleted_time: int64.optional(),
  /** Its place could not read all of it: something is missing here. */
  incomplete: z.literal(true).optional(),
  artifact_uri: z.string().meta({ placed: true }),
  params: stringMap,
  tags: stringMap.meta({ mentions: true }),
  dataset_inputs: z.array(datasetInput),
  /** Absent where there are none. */
  model_inputs: z.array(modelInput).min(1).optional(),
  model_outputs: z.array(modelOutput).min(1).optional(),
  latest_metrics: mapOf(point),
});
export type Run = z.infer<typeof run>;

/** Most points in one `metrics` record. */
export const MAX_POINTS = 1000;

/** A line with points of one metric key of the run above it; a key may have several records, one after another. */
export const metrics = z.strictObject({
  kind: z.literal('metrics'),
  run_id: runId.meta({ references: 'run' }),
  key: z.string(),
  points: z.array(point).min(1).max(MAX_POINTS),
});

/** A file of the run above it. Without `sha256` the bytes are not carried, only known to exist. */
export const artifact = z.strictObject({
  kind: z.literal('artifact'),
  run_id: runId.meta({ references: 'run' }),
  path: z.string().min(1),
  size: z.int().nonnegative(),
  sha256: sha256.optional(),
});
export type ArtifactRecord = z.infer<typeof artifact>;
