import type { Int64 } from '../../../model/int64.ts';
import type { MetricValue } from '../../../model/metric-value.ts';
import { listPoints } from '../../../model/points.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { MetricPoints } from '../../place.ts';

/** One point in the words of `runs/log-batch`. */
export interface Metric {
  readonly key: string;
  readonly value: MetricValue;
  readonly timestamp: Int64;
  readonly step: Int64;
  /** Where it was measured of a model, and on which dataset (3.0 and newer). */
  readonly model_id?: string | undefined;
  readonly dataset_name?: string | undefined;
  readonly dataset_digest?: string | undefined;
}

/** The body of one `runs/log-batch` request, without the run id. */
export interface Batch {
  readonly params: ReadonlyArray<{ key: string; value: string }>;
  readonly tags: ReadonlyArray<{ key: string; value: string }>;
  readonly metrics: readonly Metric[];
}

/** MLflow's limits of one request; `keys`: most distinct metric keys. */
export interface BatchLimits {
  readonly metrics: number;
  readonly params: number;
  readonly tags: number;
  readonly total: number;
  readonly keys: number;
  /** Of the JSON text; documented as 1 MB, enforced by some (Databricks), not by MLflow itself. */
  readonly bytes: number;
}

/**
 * Limits in force since 1.x. Before 3.11 a replayed request with known points of more than 100 keys is refused, so
 * there are never more in one; with the usual 1000 points of few keys that costs no request.
 */
export const BATCH_LIMITS: BatchLimits = {
  metrics: 1000,
  params: 100,
  tags: 100,
  total: 1000,
  keys: 100,
  bytes: 900_000,
};

/** Room that one more tag, `mlferry.digest`, needs in the last batch. */
const ENTRY_BYTES = 24;
const METRIC_BYTES = 110;

/**
 * Packs params, tags and points into as few batches as the limits allow: the first ones carry params and tags and
 * are filled up with points. Points keep their order. Yields nothing when there is nothing to send.
 */
export async function* logBatches(
  params: StringMap,
  tags: StringMap,
  points: AsyncIterable<MetricPoints>,
  limits: BatchLimits = BATCH_LIMITS,
): AsyncGenerator<Batch> {
  const waitingParams = Object.entries(params);
  const waitingTags = Object.entries(tags);
  let batch = open();

  function open() {
    const started = {
      params: [] as { key: string; value: string }[],
      tags: [] as { key: string; value: string }[],
      metrics: [] as Metric[],
      keys: new Set<string>(),
      bytes: 0,
    };
    const fill = (
      waiting: Array<[string, string]>,
      into: Array<{ key: string; value: string }>,
      limit: number,
    ) => {
      for (let next = waiting[0]; next !== undefined && into.length < limit; next = waiting[0]) {
        const [key, value] = next;
        const size = Buffer.byteLength(key) + Buffer.byteLength(value) + ENTRY_BYTES;
        if (started.bytes > 0 && started.bytes + size > limits.bytes) return;
        started.bytes += size;
        into.push({ key, value });
        waiting.shift();
      }
    };
    fill(waitingParams, started.params, limits.params);
    fill(waitingTags, started.tags, limits.tags);
    return started;
  }

  const size = () => batch.params.length + batch.tags.length + batch.metrics.length;
  const take = (): Batch => {
    const { params, tags, metrics } = batch;
    batch = open();
    return { params, tags, metrics };
  };

  for await (const { key, points: piece } of points) {
    const bytes = Buffer.byteLength(key) + METRIC_BYTES;
    for (const [step, timestamp, value] of listPoints(piece)) {
      while (
        size() >= limits.total ||
        batch.metrics.length >= limits.metrics ||
        batch.bytes + bytes > limits.bytes ||
        (batch.keys.size >= limits.keys && !batch.keys.has(key))
      ) {
        yield take();
      }
      batch.metrics.push({ key, value, timestamp, step });
      batch.keys.add(key);
      batch.bytes += bytes;
    }
  }
  while (size() > 0) yield take();
}

/** Whether one more tag fits into a batch. */
export function hasRoomForTag({ params, tags, metrics }: Batch, limits: BatchLimits = BATCH_LIMITS): boolean {
  return tags.length < limits.tags && params.length + tags.length + metrics.length < limits.total;
}
