import { z } from 'zod';
import { redact } from '../util/redact.ts';
import { int64 } from './int64.ts';

/** A webhook of the model registry (MLflow 3.3 and newer), without the secret that it signs with: nobody is told that. */
export const webhook = z.strictObject({
  kind: z.literal('webhook'),
  webhook_id: z.string().min(1).meta({ identifies: 'webhook' }),
  name: z.string(),
  description: z.string().optional(),
  /** Without user info and signed query values. */
  url: z.string(),
  /** Sorted: `MODEL_VERSION`, `CREATED`. */
  events: z.array(z.strictObject({ entity: z.string(), action: z.string() })),
  /** ACTIVE, DISABLED. */
  status: z.string(),
  /** ms since the epoch. */
  creation_timestamp: int64.meta({ placed: true }),
  last_updated_timestamp: int64.meta({ placed: true }),
});
export type Webhook = z.infer<typeof webhook>;

/** A webhook's record of what MLflow tells of it. */
export function webhookOf({ url, events, ...fields }: Omit<Webhook, 'kind'>): Webhook {
  const sorted = events.toSorted((a, b) => (textOf(a) < textOf(b) ? -1 : 1));
  return { kind: 'webhook', ...fields, url: redact(url), events: sorted };
}

const textOf = ({ entity, action }: Webhook['events'][number]) => `${entity} ${action}`;
