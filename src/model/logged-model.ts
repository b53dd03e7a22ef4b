import { z } from 'zod';
import { compareInt64, int64 } from './int64.ts';
import { metricValue } from './metric-value.ts';
import { stringMap } from './string-map.ts';

/** MLflow's statuses of logged models; a directory keeps their position (mlflow/protos/service.proto). */
export const MODEL_STATUSES = [
  'LOGGED_MODEL_STATUS_UNSPECIFIED',
  'LOGGED_MODEL_PENDING',
  'LOGGED_MODEL_READY',
  'LOGGED_MODEL_UPLOAD_FAILED',
] as const;

/** One value that was measured of a model, by which run and on which dataset. */
export const modelMetric = z.strictObject({
  key: z.string(),
  step: int64,
  /** ms since the epoch. */
  timestamp: int64,
  value: metricValue,
  run_id: z.string().meta({ references: 'run', bound: true }).optional(),
  dataset_name: z.string().optional(),
  dataset_digest: z.string().optional(),
});
export type ModelMetric = z.infer<typeof modelMetric>;

/**
 * A logged model (MLflow 3), without its files. Times are ms since the epoch. The links of runs to it are in the runs'
 * `model_inputs` and `model_outputs`.
 */
export const loggedModel = z.strictObject({
  kind: z.literal('logged_model'),
  model_id: z.string().min(1).meta({ identifies: 'logged_model' }),
  experiment_id: z.string().min(1).meta({ references: 'experiment' }),
  name: z.string(),
  model_type: z.string().optional(),
  source_run_id: z.string().min(1).meta({ references: 'run' }).optional(),
  status: z.enum(MODEL_STATUSES),
  status_message: z.string().optional(),
  creation_timestamp_ms: int64.meta({ placed: true }),
  last_updated_timestamp_ms: int64.meta({ placed: true }),
  artifact_uri: z.string().meta({ placed: true }),
  params: stringMap,
  tags: stringMap.meta({ mentions: true }),
  metrics: z.array(modelMetric),
});
export type LoggedModel = z.infer<typeof loggedModel>;

/** The metrics of a model in their one order: key, timestamp, step, run, value. */
export function sortModelMetrics(metrics: readonly ModelMetric[]): ModelMetric[] {
  const text = (metric: ModelMetric) => `${metric.run_id ?? ''} ${metric.value} ${metric.dataset_name ?? ''}`;
  return metrics.toSorted(
    (a, b) =>
      compareText(a.key, b.key) ||
      compareInt64(a.timestamp, b.timestamp) ||
      compareInt64(a.step, b.step) ||
      compareText(text(a), text(b)),
  );
}

const compareText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
