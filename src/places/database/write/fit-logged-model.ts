import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, type ModelMetric, sortModelMetrics } from '../../../model/logged-model.ts';
import { allowedText, fits } from '../../../model/mlflow/limits.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Store } from '../read/store.ts';
import { databaseLimits } from './limits.ts';

/** What tells the rows of a model's values apart: the value itself does not. */
const rowKey = ({ key, timestamp, step, run_id }: ModelMetric) =>
  JSON.stringify([key, timestamp, step, run_id]);

/** A logged model as a database holds it, see write-logged-model.ts. `present`: values that are there stay. */
export function fitModel(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: LoggedModel,
  present: readonly ModelMetric[] = [],
): { readonly record: LoggedModel; readonly losses: readonly RunLoss[] } {
  const losses: RunLoss[] = [];
  const lost = (code: RunLoss['code'], key: string, why: string) =>
    losses.push({
      code,
      left_behind: true,
      key,
      detail: `the database cannot hold this of the model: ${why}`,
    });
  const limits = databaseLimits(store);
  const texts = (table: string, column: string, map: StringMap): StringMap => {
    const longest = store.tables.length(table, column);
    return Object.fromEntries(
      Object.entries(map).flatMap(([key, value]) => {
        if (fits(key, longest) && allowedText(key, limits) === key) {
          const held = allowedText(value, limits);
          if (held !== value) lost('VALUE_NOT_ALLOWED', key, 'some of its characters, which were replaced');
          return [[key, held]];
        }
        lost('KEY_NOT_ALLOWED', key, 'its key');
        return [];
      }),
    );
  };
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
      params: texts('logged_model_params', 'param_key', wanted.params),
      tags: texts('logged_model_tags', 'tag_key', wanted.tags),
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
