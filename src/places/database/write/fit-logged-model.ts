import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, type ModelMetric, sortModelMetrics } from '../../../model/logged-model.ts';
import type { Store } from '../read/store.ts';
import { textFitter } from './text-fitter.ts';

/** What tells the rows of a model's values apart: the value itself does not. */
const rowKey = ({ key, timestamp, step, run_id }: ModelMetric) =>
  JSON.stringify([key, timestamp, step, run_id]);

/** A logged model as a database holds it, see write-logged-model.ts. `present`: values that are there stay. */
export function fitModel(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: LoggedModel,
  present: readonly ModelMetric[] = [],
): { readonly record: LoggedModel; readonly losses: readonly RunLoss[] } {
  const { losses, lost, map } = textFitter(store, 'model');
  const there = new Map(present.map((metric) => [rowKey(metric), metric]));
  const held = new Map<string, ModelMetric>();
  for (const metric of wanted.metrics) {
    if (metric.run_id === undefined) {
      lost('KEY_NOT_ALLOWED', metric.key, 'a value that names no run');
      continue;
    }
    const key = rowKey(metric);
    const other = held.get(key) ?? there.get(key) ?? metric;
    held.set(key, other);
    if (JSON.stringify(sortModelMetrics([other])) === JSON.stringify(sortModelMetrics([metric]))) continue;
    lost('VALUE_CONFLICT', metric.key, 'a second value of this run, step and time');
  }
  return {
    record: {
      ...wanted,
      params: map('logged_model_params', { key: 'param_key', value: 'param_value' }, wanted.params),
      tags: map('logged_model_tags', { key: 'tag_key', value: 'tag_value' }, wanted.tags),
      metrics: sortModelMetrics([...held.values()]),
    },
    losses,
  };
}

/** The same for a comparison: of two values of one row either one is right. */
export function representModel(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: LoggedModel,
  present: LoggedModel,
): ReturnType<typeof fitModel> {
  const rows = Map.groupBy(wanted.metrics, rowKey);
  const open = present.metrics.filter((metric) => (rows.get(rowKey(metric)) ?? []).length > 1);
  return fitModel(store, wanted, open);
}
