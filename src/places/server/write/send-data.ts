import { DIGEST_TAG } from '../../../model/canonical.ts';
import { toDouble } from '../../../model/metric-value.ts';
import type { PointSet } from '../../../model/point-set.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { MlferryError } from '../../../util/errors.ts';
import { pause, retryDelay } from '../../../util/retry.ts';
import type { MetricPoints } from '../../place.ts';
import { comparablePoint, type PointTally, siftPoints } from '../../writing/sift-points.ts';
import { isDuplicate, serverAnswer } from '../connect/problems.ts';
import { isSamePoint } from '../read/points.ts';
import { isPerhapsDone } from './create-once.ts';
import { type Batch, hasRoomForTag, logBatches, type Metric } from './log-batches.ts';
import type { TargetContext } from './target-context.ts';

/** Params, tags and points of one run on their way to the target. */
export interface DataPlan {
  readonly present: Run;
  /** Nothing has been sent yet. */
  readonly created: boolean;
  /** Whether an earlier pass completed the run: then a key whose latest point is the source's is whole. */
  readonly wasComplete: boolean;
  readonly latest: Run['latest_metrics'];
  readonly params: StringMap;
  readonly tags: StringMap;
  /** `undefined`: not to be set. */
  readonly digest: string | undefined;
  readonly points: AsyncIterable<MetricPoints>;
  /** Before the first request. */
  readonly beforeChange: () => Promise<void>;
  /** When all but the last request was sent. */
  readonly beforeLast: () => Promise<void>;
  readonly spill: (piece: MetricPoints) => Promise<void>;
  /** Grows with each batch that was sent. */
  readonly sent: { points: number };
}

/**
 * Sends what is missing in as few `runs/log-batch` requests as the limits allow; the last one carries `mlferry.digest`.
 * When a run that was complete needs several requests, its digest is taken back first, so that a broken pass leaves it
 * incomplete.
 */
export async function sendData(context: TargetContext, plan: DataPlan, tally: PointTally): Promise<void> {
  const { present } = plan;
  const send = async (batch: Batch) => {
    await plan.beforeChange();
    if (context.routes.changes) await logInParts(context, present.run_id, batch);
    plan.sent.points += batch.metrics.length;
  };
  const points = siftPoints(
    plan.points,
    {
      limits: context.limits(),
      merges: context.store !== 'FileStore',
      negativeTimestamps: false,
      present: (key) => presentPoints(context, plan, key),
      spill: plan.spill,
    },
    tally,
  );
  let waiting: Batch | undefined;
  let sent = 0;
  for await (const batch of logBatches(plan.params, plan.tags, points, context.batchLimits)) {
    if (waiting !== undefined) {
      if (sent === 0 && plan.wasComplete)
        await send({ params: [], metrics: [], tags: [{ key: DIGEST_TAG, value: '' }] });
      await send(waiting);
      sent++;
    }
    waiting = batch;
  }
  await plan.beforeLast();
  if (plan.digest === undefined) {
    if (waiting !== undefined) await send(waiting);
    return;
  }
  const last = waiting ?? { params: [], tags: [], metrics: [] };
  const mark = { key: DIGEST_TAG, value: plan.digest };
  if (hasRoomForTag(last, context.batchLimits)) {
    await send({ ...last, tags: [...last.tags, mark] });
  } else {
    await send(last);
    await send({ params: [], metrics: [], tags: [mark] });
  }
}

async function presentPoints(
  context: TargetContext,
  plan: DataPlan,
  key: string,
): Promise<'nothing' | 'everything' | PointSet> {
  const there = plan.created ? undefined : ownValue(plan.present.latest_metrics, key);
  if (there === undefined) return 'nothing';
  const latest = ownValue(plan.latest, key);
  if (
    plan.wasComplete &&
    latest !== undefined &&
    isSamePoint(comparablePoint(latest), comparablePoint(there))
  )
    return 'everything';
  return context.pointsOf(plan.present.run_id, key);
}

/** Sends a batch; one that is too large for the server, or for a proxy before it, in halves. */
async function logInParts(context: TargetContext, run_id: string, batch: Batch): Promise<void> {
  try {
    await logSafely(context, run_id, batch);
  } catch (error) {
    const parts = serverAnswer(error)?.status === 413 ? halves(batch) : [];
    if (parts.length === 0) throw error;
    for (const part of parts) await logInParts(context, run_id, part);
  }
}

/** A batch in two, the tags behind everything else: one of them says that the run is complete. */
function halves({ params, metrics, tags }: Batch): Batch[] {
  const items = params.length + metrics.length;
  if (items > 0 && tags.length > 0)
    return [
      { params, metrics, tags: [] },
      { params: [], metrics: [], tags },
    ];
  const half = <T>(all: readonly T[], first: boolean): T[] => {
    const middle = Math.ceil(all.length / 2);
    return first ? all.slice(0, middle) : all.slice(middle);
  };
  if (params.length > 0 && metrics.length > 0)
    return [
      { params, metrics: [], tags },
      { params: [], metrics, tags },
    ];
  if (items + tags.length < 2) return [];
  return [true, false].map((first) => ({
    params: half(params, first),
    metrics: half(metrics, first),
    tags: half(tags, first),
  }));
}

/**
 * A batch whose answer got lost may be stored. SQL stores take it again without harm, except NaN points (refused as
 * duplicates up to 3.16 or so) and FileStores, which keep every line twice: there the histories are read first and only
 * what is missing is sent.
 */
async function logSafely(context: TargetContext, run_id: string, batch: Batch): Promise<void> {
  const { routes, backoff, signal } = context;
  const harmless = context.store === 'SqlStore' && !batch.metrics.some(({ value }) => value === 'NaN');
  const blind = batch.metrics.length === 0 || harmless;
  let rest: readonly Metric[] = batch.metrics;
  for (let attempt = 0; ; attempt++) {
    try {
      await routes.logBatch(run_id, { ...batch, metrics: rest }, blind);
      return;
    } catch (error) {
      const again = !blind && (isPerhapsDone(error) || isDuplicate(error));
      if (!again || attempt >= (isServerError(error) ? 2 : backoff.retries)) throw error;
      await pause(retryDelay(backoff, attempt, undefined), signal);
      rest = await missing(context, run_id, rest);
    }
  }
}

/** A 500 may be the server's last word on these values. */
function isServerError(error: unknown): boolean {
  return error instanceof MlferryError && error.code === 'SERVER_ERROR';
}

async function missing(
  context: TargetContext,
  run_id: string,
  metrics: readonly Metric[],
): Promise<Metric[]> {
  const rest: Metric[] = [];
  for (const [key, own] of Map.groupBy(metrics, ({ key }) => key)) {
    const there = await context.pointsOf(run_id, key);
    appendAll(
      rest,
      own.filter(({ step, timestamp, value }) => !there.has(step, timestamp, toDouble(value))),
    );
  }
  return rest;
}
