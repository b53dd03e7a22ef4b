import { z } from 'zod';
import type { Counts, ObjectAmount, Summary } from '../../inspect/inspect.ts';
import { lifecycleStage } from '../../model/records.ts';
import { count, failure, loss, place } from './parts.ts';
import { schemaOf } from './schema-of.ts';

const counts = schemaOf<Counts>()(
  z.strictObject({
    runs: count,
    statuses: z.record(z.string(), count),
    metric_keys: count,
    points: count.exactOptional(),
    artifacts: count.exactOptional(),
    artifact_bytes: count.exactOptional(),
  }),
);

const amount = schemaOf<ObjectAmount>()(
  z.strictObject({
    count,
    artifacts: count.exactOptional(),
    artifact_bytes: count.exactOptional(),
    left_out: count.exactOptional().meta({ description: 'not counted, as it was asked for' }),
  }),
);

/** What `mlferry inspect` prints. */
export const summary = schemaOf<Summary>()(
  z.strictObject({
    place,
    experiments: z.array(
      counts.extend({ experiment_id: z.string(), name: z.string(), lifecycle_stage: lifecycleStage }),
    ),
    total: counts,
    objects: z.record(z.string(), amount).exactOptional(),
    losses: z.array(loss),
    failures: z.array(failure),
  }),
);
