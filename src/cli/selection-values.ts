import { z } from 'zod';
import type { Selection } from '../model/selection.ts';
import { searchOf } from '../search/search-of.ts';

/** The values that `addSelectionOptions` leaves, to be spread into a command's own schema. */
export const selectionShape = {
  experiment: z.array(z.string()),
  excludeExperiment: z.array(z.string()).default([]),
  run: z.array(z.string()),
  view: z.enum(['active', 'deleted', 'all']),
  filter: z.string().optional(),
  experimentFilter: z.string().optional(),
  registeredModel: z.array(z.string()).default([]),
  withModelVersion: z.boolean().default(false),
  modelFilter: z.string().optional(),
  registeredModelFilter: z.string().optional(),
  modelVersionFilter: z.string().optional(),
  traceFilter: z.string().optional(),
  orderBy: z.array(z.string()).default([]),
  maxRuns: z.number().optional(),
};

/** The selection those values make. Throws EXPRESSION for a wrong filter or order. */
export function selectionOf(values: z.infer<z.ZodObject<typeof selectionShape>>): Selection {
  const { experiment, excludeExperiment, run, view, filter, experimentFilter, orderBy, maxRuns } = values;
  const { registeredModel, withModelVersion, modelFilter, registeredModelFilter } = values;
  const { modelVersionFilter, traceFilter } = values;
  const selection: Selection = {
    experiments: experiment,
    runs: run,
    ...(excludeExperiment.length === 0 ? {} : { exclude_experiments: excludeExperiment }),
    view,
    ...(filter === undefined ? {} : { filter }),
    ...(experimentFilter === undefined ? {} : { experiment_filter: experimentFilter }),
    ...(registeredModel.length === 0 ? {} : { registered_models: registeredModel }),
    ...(withModelVersion ? { with_model_version: true } : {}),
    ...(modelFilter === undefined ? {} : { model_filter: modelFilter }),
    ...(registeredModelFilter === undefined ? {} : { registered_model_filter: registeredModelFilter }),
    ...(modelVersionFilter === undefined ? {} : { model_version_filter: modelVersionFilter }),
    ...(traceFilter === undefined ? {} : { trace_filter: traceFilter }),
    ...(orderBy.length === 0 ? {} : { order_by: orderBy }),
    ...(maxRuns === undefined ? {} : { max_runs: maxRuns }),
  };
  searchOf(selection);
  return selection;
}
