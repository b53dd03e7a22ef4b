import { isPrompt } from '../kinds/model-registry.ts';
import type { Failure } from '../model/findings.ts';
import { type ModelVersion, type RegisteredModel, registeredModel } from '../model/registered-model.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';
import { type ListOptions, readPlace } from './list-runs.ts';
import { readRegistry } from './read-models.ts';

/** A registered model or prompt with its versions, by their numbers. */
export interface ListedModel extends RegisteredModel {
  readonly is_prompt: boolean;
  readonly versions: readonly ModelVersion[];
}

/**
 * Hands out the registered models and prompts of any place, by name, with their versions: those that `registered_models` and the
 * filters over them choose; with a filter over versions only those that have one that fits. Returns what could not be read. Throws as openReader does.
 */
export function listModels(
  location: string,
  options: ListOptions,
  take: (model: ListedModel) => Promise<void>,
): Promise<readonly Failure[]> {
  const selection = { ...WHOLE_REGISTRY.selection, ...options.selection };
  return readPlace(location, options, async (reader) => {
    for (const { record, versions } of (await readRegistry(reader, selection)).values()) {
      if (versions.length === 0 && selection.model_version_filter !== undefined) continue;
      const model = registeredModel.parse(record);
      await take({
        ...model,
        is_prompt: isPrompt(model),
        versions,
      });
    }
  });
}
