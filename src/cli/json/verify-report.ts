import { z } from 'zod';
import { int64 } from '../../model/int64.ts';
import { metricValue } from '../../model/metric-value.ts';
import type { Difference } from '../../verify/difference.ts';
import type { ObjectVerdicts, Verdicts, VerifyItem, VerifyReport } from '../../verify/report.ts';
import { count, exitStatus, loss, lossCounts, place, seconds, stopped } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const shown = z.union([z.string(), z.number(), z.null()]);

const difference = schemaOf<Difference>()(
  z.strictObject({
    field: z.string().meta({ description: 'status, params.lr, metrics.loss, artifacts model/x sha256 …' }),
    source: shown,
    target: shown,
    points: z
      .strictObject({
        only_in_source: count,
        only_in_target: count,
        first: z.strictObject({
          step: int64,
          timestamp: int64,
          source: metricValue.nullable(),
          target: metricValue.nullable(),
        }),
      })
      .exactOptional(),
  }),
);

const item = schemaOf<VerifyItem>()(
  z.strictObject({
    symbol: z.enum(['=', '+', '-', '*', '!']).meta({
      description: '= same, + only in the source, - only in the target, * different, ! unreadable',
    }),
    kind: z.string(),
    id: z.string(),
    name: z.string(),
    experiment_name: z.string().exactOptional(),
    target_id: z.string().exactOptional(),
    differences: z.array(difference),
    unlisted_differences: count.exactOptional(),
    reason: z.string().exactOptional(),
  }),
);

const verdicts = schemaOf<Verdicts>()(
  z.strictObject({
    same: count,
    only_in_source: count,
    only_in_target: count,
    different: count,
    unreadable: count,
  }),
);

const objectVerdicts = schemaOf<ObjectVerdicts>()(verdicts.extend({ left_out: count.exactOptional() }));

/** What `mlferry verify` prints. */
export const verifyReport = schemaOf<VerifyReport>()(
  z.strictObject({
    from: place,
    to: place.exactOptional(),
    quick: z.boolean(),
    experiments: verdicts,
    runs: verdicts.extend({ others: count, unselected: count }),
    objects: z.record(z.string(), objectVerdicts).exactOptional(),
    checked: z.strictObject({ points: count, artifacts: count, artifact_bytes: count }),
    items: z.array(item),
    loss_counts: lossCounts,
    losses: z.array(loss),
    unlisted: count.meta({ description: 'items and losses that are counted but not listed' }),
    error: stopped.exactOptional(),
    seconds,
    exit_status: exitStatus,
  }),
);
