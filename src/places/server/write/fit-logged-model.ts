import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, type ModelMetric, sortModelMetrics } from '../../../model/logged-model.ts';
import { fromDouble, toDouble } from '../../../model/metric-value.ts';
import { MODEL_VERSIONS_TAG } from '../../../model/mlflow/tags.ts';
import { comparable } from '../../../model/point-set.ts';
import { ownValue } from '../../../model/string-map.ts';

/** A logged model as a server can hold it, and what it loses. */
export interface FittedModel {
  readonly model: LoggedModel;
  readonly losses: readonly RunLoss[];
}

/** Fits a logged model, already in the server's ids. */
export function fitLoggedModel(wanted: LoggedModel): FittedModel {
  const losses: RunLoss[] = [];
  const { status_message, ...model } = wanted;
  if (status_message !== undefined) {
    losses.push({
      code: 'MODEL_STATUS',
      key: 'status_message',
      detail: 'no server takes the status message of a logged model: it is lost',
    });
  }
  const metrics = wanted.metrics.filter(isLoggable);
  const left = wanted.metrics.length - metrics.length;
  if (left > 0) {
    losses.push({
      code: 'METRICS_NOT_CARRIED',
      count: left,
      detail:
        'a server takes a value of a model only by the run that measured it, and no NaN: these are left out',
    });
  }
  const tags = Object.entries(withoutBookkeeping(wanted.tags)).filter(([key]) => key !== MODEL_VERSIONS_TAG);
  return { model: { ...model, tags: Object.fromEntries(tags), metrics }, losses };
}

/**
 * What a copy on a server must look like; see write-logged-model.ts, which makes it so. What only the server tells is
 * taken over from it.
 */
export function representModel(
  wanted: LoggedModel,
  present: LoggedModel,
): FittedModel & { record: LoggedModel } {
  const { model, losses: unfit } = fitLoggedModel(wanted);
  const losses = [...unfit];
  const there = new Map(present.metrics.map((metric) => [modelMetricKey(metric), metric]));
  const metrics = model.metrics.flatMap((metric) => {
    const held = there.get(modelMetricKey(metric));
    if (held !== undefined || metric.value !== 0) return held ?? metric;
    // A store keeps a NaN of a model as 0, which the run that measured it does not have.
    losses.push({
      code: 'METRICS_NOT_CARRIED',
      key: metric.key,
      detail:
        'a value of 0 is not there: it is left out where the run that measured it has none (MLflow keeps a NaN so)',
    });
    return [];
  });
  const tags = Object.entries(model.tags);
  const own = [MODEL_VERSIONS_TAG].flatMap((key) => {
    const value = ownValue(present.tags, key);
    return value === undefined ? [] : [[key, value] as const];
  });
  const record = {
    ...model,
    status: model.status === 'LOGGED_MODEL_STATUS_UNSPECIFIED' ? present.status : model.status,
    tags: Object.fromEntries([...tags, ...own]),
    metrics: sortModelMetrics(metrics),
  };
  return { model, record, losses };
}

/** A NaN would be a second one of the run: no store takes it for the same. */
function isLoggable({ run_id, value }: ModelMetric): boolean {
  return run_id !== undefined && value !== 'NaN';
}

/** What is the same of two values of a model: stores clamp infinities, and one value stands at each moment. */
export function modelMetricKey(metric: ModelMetric): string {
  const { key, step, timestamp, run_id, dataset_name, dataset_digest } = metric;
  return JSON.stringify([key, step, timestamp, run_id, dataset_name, dataset_digest, storedValue(metric)]);
}

/** A value as SQL stores keep it. */
export function storedValue({ value }: Pick<ModelMetric, 'value'>): ModelMetric['value'] {
  return fromDouble(comparable(toDouble(value)));
}
