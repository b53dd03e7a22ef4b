import { z } from 'zod';
import { int64 } from './int64.ts';

/** One version of a scorer (MLflow 3.4 and newer): what judges traces, by its name within an experiment. */
export const scorer = z.strictObject({
  kind: z.literal('scorer'),
  experiment_id: z.string().min(1).meta({ identifies: 'scorer', references: 'experiment' }),
  scorer_name: z.string().min(1).meta({ identifies: 'scorer' }),
  /** Counted from 1; deleted ones leave gaps. */
  scorer_version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .meta({ identifies: 'scorer' }),
  /** JSON, as MLflow wrote it. */
  serialized_scorer: z.string(),
  /** ms since the epoch. */
  creation_time: int64.meta({ placed: true }),
});
export type Scorer = z.infer<typeof scorer>;
