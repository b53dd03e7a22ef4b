import { z } from 'zod';

/** The body of `runs/log-batch`, as far as faults are concerned; it is otherwise passed on as it came. */
const logBatch = z.looseObject({
  params: z.array(z.unknown()).default([]),
  tags: z.array(z.unknown()).default([]),
  metrics: z.array(z.unknown()).default([]),
});

function parse(body: Buffer): z.infer<typeof logBatch> {
  return logBatch.parse(JSON.parse(body.toString('utf8')));
}

/** Metric points in a `runs/log-batch`. */
export function pointsIn(body: Buffer): number {
  return parse(body).metrics.length;
}

/**
 * What a server that breaks off in the middle has kept of a batch: params and the first half of the points, no tags
 * (that order is MLflow's SQL store's). Integers beyond 2^53 in it would suffer, so tests use none.
 */
export function firstHalf(body: Buffer): Buffer {
  const { metrics, ...rest } = parse(body);
  return Buffer.from(JSON.stringify({ ...rest, tags: [], metrics: metrics.slice(0, metrics.length >> 1) }));
}
