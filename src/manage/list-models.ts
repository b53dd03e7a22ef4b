import { REGISTERED_MODEL, VERSION } from '../kinds/model-registry.ts';
import type { Failure } from '../model/findings.ts';
import { PROMPT_TAG } from '../model/mlflow/tags.ts';
import {
  type ModelVersion,
  modelVersion,
  type RegisteredModel,
  registeredModel,
} from '../model/registered-model.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader } from '../places/place.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';
import { type ListOptions, readPlace } from './list-runs.ts';

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
  return readPlace(location, options, async ({ objects }: Reader) => {
    const scope = { ...WHOLE_REGISTRY, selection };
    const versions = new Map<string, ModelVersion[]>();
    for await (const { record } of objects?.get(VERSION.kind)?.read(scope) ?? []) {
      const version = modelVersion.parse(record);
      versions.set(version.name, [...(versions.get(version.name) ?? []), version]);
    }
    const models: RegisteredModel[] = [];
    for await (const { record } of objects?.get(REGISTERED_MODEL.kind)?.read(scope) ?? [])
      models.push(registeredModel.parse(record));
    for (const model of models.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const own = versions.get(model.name) ?? [];
      if (own.length === 0 && selection.model_version_filter !== undefined) continue;
      await take({
        ...model,
        is_prompt: ownValue(model.tags, PROMPT_TAG) === 'true',
        versions: own.toSorted((a, b) => Number(a.version) - Number(b.version)),
      });
    }
  });
}
