import { z } from 'zod';
import { int64Answer } from '../../../model/int64.ts';
import { webhookOf } from '../../../model/webhook.ts';

const webhookAnswer = z
  .object({
    webhook_id: z.string().min(1),
    name: z.string().default(''),
    description: z
      .string()
      .optional()
      .transform((value) => value || undefined),
    url: z.string().default(''),
    events: z.array(z.object({ entity: z.string().default(''), action: z.string().default('') })).default([]),
    status: z.string().default('ACTIVE'),
    creation_timestamp: int64Answer.default(0),
    last_updated_timestamp: int64Answer.default(0),
  })
  .transform(({ description, ...answer }) =>
    webhookOf({ ...answer, ...(description === undefined ? {} : { description }) }),
  );

/** Answer of webhooks (MLflow 3.3 and newer). */
export const webhookPage = z.object({
  webhooks: z.array(webhookAnswer).default([]),
  next_page_token: z.string().optional(),
});
