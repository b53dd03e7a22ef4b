import type { ModelMetric } from '../../../model/logged-model.ts';
import { fromDouble } from '../../../model/metric-value.ts';
import { pointsOf } from '../../../model/points.ts';
import { formatMetricLines, parseMetricLine } from './metric-lines.ts';

/**
 * Lines of a logged model's metric file: `<timestamp> <value> <step> <run_id> [<dataset name> <dataset digest>]`
 * (mlflow/store/tracking/file_store.py). A dataset name may have spaces.
 */

/** The value of a line; `undefined` when it is none. */
export function parseModelMetric(key: string, line: string): ModelMetric | undefined {
  const [time = '', number = '', at = '', run_id, ...dataset] = line.split(' ');
  const point = parseMetricLine(`${time} ${number} ${at}`);
  if (point === undefined || !run_id) return undefined;
  const dataset_digest = dataset.pop();
  if (dataset_digest !== undefined && dataset.length === 0) return undefined;
  return {
    key,
    step: point.step,
    timestamp: point.timestamp,
    value: fromDouble(point.value),
    run_id,
    ...(dataset_digest === undefined ? {} : { dataset_name: dataset.join(' '), dataset_digest }),
  };
}

/** The line of a value, without its end. A value without a run cannot stand in a file. */
export function formatModelMetric(metric: ModelMetric & { readonly run_id: string }): string {
  const { timestamp, value, step, run_id, dataset_name, dataset_digest } = metric;
  const dataset =
    dataset_name !== undefined && dataset_digest !== undefined ? ` ${dataset_name} ${dataset_digest}` : '';
  const point = formatMetricLines(pointsOf([[step, timestamp, value]]))
    .toString('latin1')
    .trimEnd();
  return `${point} ${run_id}${dataset}`;
}
