import type { Loss } from '../model/findings.ts';
import type { ModelInput, ModelOutput, Run } from '../model/records.ts';
import type { KindIds } from './id-map.ts';

/** The kind that runs are linked to. */
export const MODEL = 'logged_model';

/** A logged model named in a text. */
export const MODEL_URI = /\bmodels:\/+(m-[\w-]+)/g;

/** The logged models that a text names. */
export function modelsIn(text: string): string[] {
  return [...text.matchAll(MODEL_URI)].flatMap(([, id]) => id ?? []);
}

/** A text with the models that it names in target ids, as far as they are on the target. */
export function remapModelsIn(text: string, ids: Pick<KindIds, 'get'>): string {
  return text.replace(MODEL_URI, (uri, id: string) => uriOf(uri, id, ids.get(id) ?? id));
}

/** A URI with the id at its end replaced; what the target holds under another URI (a model among the files of its run) has that. */
export function uriOf(uri: string, id: string, targetId: string): string {
  return isUri(targetId) ? targetId : uri.slice(0, -id.length) + targetId;
}

/** Whether an object has no id on the target, but a place that a URI tells. */
export function isUri(targetId: string): boolean {
  return targetId.startsWith('runs:/');
}

/** What a run read and made of logged models. */
export interface ModelLinks {
  readonly model_inputs: readonly ModelInput[];
  readonly model_outputs: readonly ModelOutput[];
}

/** The links of a run's record. */
export function linksOf({
  model_inputs,
  model_outputs,
}: Pick<Run, 'model_inputs' | 'model_outputs'>): ModelLinks {
  return { model_inputs: model_inputs ?? [], model_outputs: model_outputs ?? [] };
}

/** A run's record with these links. */
export function withLinks(run: Run, { model_inputs, model_outputs }: ModelLinks): Run {
  const { model_inputs: _, model_outputs: __, ...rest } = run;
  return {
    ...rest,
    ...(model_inputs.length === 0 ? {} : { model_inputs: [...model_inputs] }),
    ...(model_outputs.length === 0 ? {} : { model_outputs: [...model_outputs] }),
  };
}

/** The ids that links name. */
export function linkedModels({ model_inputs, model_outputs }: ModelLinks): string[] {
  return [...model_inputs, ...model_outputs].map(({ model_id }) => model_id);
}

/** The ids of the models that a run made. */
export function modelsMadeBy({ model_outputs }: ModelLinks): string[] {
  return model_outputs.map(({ model_id }) => model_id);
}

/** Whether there is any link. */
export function hasLinks(links: ModelLinks): boolean {
  return links.model_inputs.length + links.model_outputs.length > 0;
}

/** Links in target ids, and the models that are not on the target: a run is not linked to those. */
export function remapLinks(
  links: ModelLinks,
  ids: Pick<KindIds, 'get'>,
): { readonly links: ModelLinks; readonly missing: readonly string[] } {
  const mapped = <T extends ModelInput>(all: readonly T[]): T[] =>
    all.flatMap((link) => {
      const model_id = ids.get(link.model_id);
      return model_id === undefined ? [] : [{ ...link, model_id }];
    });
  return {
    links: { model_inputs: mapped(links.model_inputs), model_outputs: mapped(links.model_outputs) },
    missing: [...new Set(linkedModels(links).filter((id) => ids.get(id) === undefined))],
  };
}

/** The loss of links to models that are not on the target. */
export function linksMissing(
  { run_id }: Pick<Run, 'run_id'>,
  experiment_name: string,
  missing: readonly string[],
): Loss {
  return {
    code: 'MODEL_LINKS',
    experiment_name,
    run_id,
    count: missing.length,
    detail: `it names logged models that are not on the target, and is not linked to them: ${missing.slice(0, 3).join(', ')}${missing.length > 3 ? ', …' : ''}`,
  };
}
