import { z } from 'zod';
import { int64 } from './int64.ts';
import { stringMap } from './string-map.ts';

/** A name in the model registry, without its versions; a prompt is one with the tag `mlflow.prompt.is_prompt`. */
export const registeredModel = z.strictObject({
  kind: z.literal('registered_model'),
  name: z.string().min(1).meta({ identifies: 'registered_model' }),
  description: z.string().optional(),
  /** ms since the epoch. */
  creation_timestamp: int64.meta({ placed: true }),
  last_updated_timestamp: int64.meta({ placed: true }),
  tags: stringMap.meta({ mentions: true }),
});
export type RegisteredModel = z.infer<typeof registeredModel>;

/**
 * A version of a registered model. Its files are those of its run or logged model, and come with it only where these do
 * not. `source` is a URI: where the files are, or what they are of.
 */
export const modelVersion = z.strictObject({
  kind: z.literal('model_version'),
  name: z.string().min(1).meta({ identifies: 'model_version', references: 'registered_model' }),
  /** Counted from 1; deleted ones leave gaps. */
  version: z
    .string()
    .regex(/^[1-9]\d{0,8}$/)
    .meta({ identifies: 'model_version' }),
  description: z.string().optional(),
  current_stage: z.string(),
  aliases: z.array(z.string()),
  source: z.string().meta({ mentions: true, located: true }),
  run_id: z.string().min(1).meta({ references: 'run' }).optional(),
  run_link: z.string().optional(),
  model_id: z.string().min(1).meta({ references: 'logged_model' }).optional(),
  status: z.string(),
  status_message: z.string().optional(),
  user_id: z.string().meta({ placed: true }).optional(),
  /** ms since the epoch. */
  creation_timestamp: int64.meta({ placed: true }),
  last_updated_timestamp: int64.meta({ placed: true }),
  tags: stringMap.meta({ mentions: true }),
});
export type ModelVersion = z.infer<typeof modelVersion>;
