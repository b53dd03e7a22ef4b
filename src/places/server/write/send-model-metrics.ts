import type { LoggedModel, ModelMetric } from '../../../model/logged-model.ts';
import { toDouble } from '../../../model/metric-value.ts';
import { ownValue } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { modelMetricKey } from './fit-logged-model.ts';
import { BATCH_LIMITS } from './log-batches.ts';
import type { TargetContext } from './target-context.ts';

/**
 * Values of a model go by the runs that measured them, and are points of those runs at once: what a run does not have is
 * not sent, it would get a point that its source has not. How many those are.
 */
export async function sendModelMetrics(
  context: TargetContext,
  present: LoggedModel,
  wanted: readonly ModelMetric[],
): Promise<number> {
  const { routes } = context;
  if (!routes.changes) return 0;
  const there = new Set(present.metrics.map(modelMetricKey));
  const missing = wanted.filter((metric) => !there.has(modelMetricKey(metric)));
  let unsent = 0;
  for (const [run_id, metrics] of Map.groupBy(missing, (metric) => metric.run_id)) {
    if (run_id === undefined) continue;
    const held = await heldByRun(context, run_id, metrics);
    unsent += metrics.length - held.length;
    for (let at = 0; at < held.length; at += BATCH_LIMITS.keys) {
      const batch = held
        .slice(at, at + BATCH_LIMITS.keys)
        .map(({ run_id: _, ...metric }) => ({ ...metric, model_id: present.model_id }));
      await routes.logBatch(run_id, { params: [], tags: [], metrics: batch }, true);
    }
  }
  return unsent;
}

/** Those of the values that are points of the run: its latest ones are told with it, of others the history is read. */
async function heldByRun(
  { routes, pointsOf }: TargetContext,
  run_id: string,
  metrics: readonly ModelMetric[],
): Promise<ModelMetric[]> {
  const { latest_metrics } = await routes.getRun(run_id);
  const held: ModelMetric[] = [];
  for (const [key, ofKey] of Map.groupBy(metrics, (metric) => metric.key)) {
    const latest = ownValue(latest_metrics, key);
    const isLatest = ({ step, timestamp, value }: ModelMetric) =>
      latest !== undefined && latest[0] === step && latest[1] === timestamp && latest[2] === value;
    if (ofKey.every(isLatest)) {
      appendAll(held, ofKey);
      continue;
    }
    const points = await pointsOf(run_id, key);
    appendAll(
      held,
      ofKey.filter(({ step, timestamp, value }) => points.has(step, timestamp, toDouble(value))),
    );
  }
  return held;
}
