import { z } from 'zod';
import { int64Answer } from '../../../model/int64.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import { keyValues, toMap } from './answers.ts';

/** Answers of MLflow's model registry. A version's aliases stand with its registered model. */

/** A registered model as the server tells it, and which alias each of its versions has. */
export interface ServerRegisteredModel {
  readonly model: RegisteredModel;
  /** Alias → version. */
  readonly aliases: ReadonlyMap<string, string>;
}

const registeredModelAnswer = z
  .object({
    name: z.string().min(1),
    description: z.string().optional(),
    creation_timestamp: int64Answer.default(0),
    last_updated_timestamp: int64Answer.default(0),
    tags: keyValues,
    aliases: z.array(z.object({ alias: z.string(), version: z.string() })).default([]),
  })
  .transform(
    ({ description, tags, aliases, ...times }): ServerRegisteredModel => ({
      model: {
        kind: 'registered_model',
        ...times,
        ...(description ? { description } : {}),
        tags: toMap(tags),
      },
      aliases: new Map(aliases.map(({ alias, version }) => [alias, version])),
    }),
  );

/** Answer of registered-models/get and create. */
export const registeredModelGet = z.object({ registered_model: registeredModelAnswer });

/** Answer of registered-models/search. */
export const registeredModelPage = z.object({
  registered_models: z.array(registeredModelAnswer).default([]),
  next_page_token: z.string().optional(),
});

const modelVersionAnswer = z
  .object({
    name: z.string().min(1),
    version: z.union([z.string(), z.int()]).transform(String),
    creation_timestamp: int64Answer.default(0),
    last_updated_timestamp: int64Answer.default(0),
    user_id: z.string().optional(),
    current_stage: z.string().default(MODEL_STAGES[0]),
    description: z.string().optional(),
    source: z.string().default(''),
    run_id: z.string().optional(),
    run_link: z.string().optional(),
    model_id: z.string().optional(),
    status: z.string().default('READY'),
    status_message: z.string().optional(),
    tags: keyValues,
  })
  .transform((answer): ModelVersion => {
    const text = (
      field: 'user_id' | 'description' | 'run_id' | 'run_link' | 'model_id' | 'status_message',
    ) => (answer[field] ? { [field]: answer[field] } : {});
    return {
      kind: 'model_version',
      name: answer.name,
      version: answer.version,
      ...text('description'),
      current_stage: answer.current_stage,
      aliases: [],
      source: answer.source,
      ...text('run_id'),
      ...text('run_link'),
      ...text('model_id'),
      status: answer.status,
      ...text('status_message'),
      ...text('user_id'),
      creation_timestamp: answer.creation_timestamp,
      last_updated_timestamp: answer.last_updated_timestamp,
      tags: toMap(answer.tags),
    };
  });

/** Answer of model-versions/get and create. */
export const modelVersionGet = z.object({ model_version: modelVersionAnswer });

/** Answer of model-versions/search; deleted ones are never among them. */
export const modelVersionPage = z.object({
  model_versions: z.array(modelVersionAnswer).default([]),
  next_page_token: z.string().optional(),
});
