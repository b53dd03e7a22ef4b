import { z } from 'zod';
import type { ModelChoiceOptions } from '../manage/chosen-models.ts';

const choice = z.object({
  registeredModel: z.array(z.string()).default([]),
  registeredModelFilter: z.string().optional(),
  modelVersionFilter: z.string().optional(),
  versions: z.boolean().default(false),
  prompts: z.boolean().default(false),
  loggedModel: z.array(z.string()).default([]),
  modelFilter: z.string().optional(),
  experiment: z.array(z.string()).default([]),
  excludeExperiment: z.array(z.string()).default([]),
});

/** The values of `addModelChoiceOptions` as the library takes them. */
export function modelChoiceOf(values: unknown): ModelChoiceOptions {
  const { registeredModel, loggedModel, experiment, excludeExperiment, ...same } = choice.parse(values);
  return {
    ...same,
    registeredModels: registeredModel,
    loggedModels: loggedModel,
    experiments: experiment,
    excludeExperiments: excludeExperiment,
  };
}
