import { createSeriesSummary, type SeriesPoint } from '../look/series-summary.ts';
import { fromDouble } from '../model/metric-value.ts';
import type { Point } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { RunReader } from '../places/place.ts';

/** A metric of a run: its latest point as MLflow tells it, and what its whole history holds. */
export interface MetricSummary {
  readonly key: string;
  /** Points of the history. */
  readonly count: number;
  readonly latest?: Point | undefined;
  /** Absent where all values are NaN. */
  readonly min?: Point | undefined;
  readonly max?: Point | undefined;
  /** Points of the history with the extremes of each stretch, in its order: at most 200. */
  readonly history: readonly Point[];
}

/** Of each history. */
const MOST_POINTS = 200;

/** All metrics of a run by their keys. The histories are read through, one after another, and not held. */
export async function metricSummaries(source: RunReader): Promise<MetricSummary[]> {
  const { latest_metrics } = source.run;
  const summaries = new Map<string, ReturnType<typeof createSeriesSummary>>();
  for await (const { key, points } of source.metrics()) {
    const summary = summaries.get(key) ?? createSeriesSummary(MOST_POINTS);
    summaries.set(key, summary);
    summary.add(points);
  }
  const keys = new Set([...summaries.keys(), ...Object.keys(latest_metrics)]);
  return [...keys].sort().map((key) => {
    const { count = 0, min, max, points = [] } = summaries.get(key)?.end() ?? {};
    return {
      key,
      count,
      latest: ownValue(latest_metrics, key),
      min: pointOf(min),
      max: pointOf(max),
      history: points.map(({ step, timestamp, value }) => [step, timestamp, fromDouble(value)]),
    };
  });
}

function pointOf(point: SeriesPoint | undefined): Point | undefined {
  return point === undefined ? undefined : [point.step, point.timestamp, fromDouble(point.value)];
}
