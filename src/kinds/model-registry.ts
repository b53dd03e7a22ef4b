import { PROMPT_TAG } from '../model/mlflow/tags.ts';
import type { ModelVersion } from '../model/registered-model.ts';
import { type Selection, wantsWholeExperiments } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import { kindOf } from './kinds.ts';
import { allReferencesOf, locate } from './remap-object.ts';

/** What holds for the model registry of every place. */

/** The kind of registered models, prompts among them. Their ids are names that people choose. */
export const REGISTERED_MODEL = kindOf('registered_model');
export const VERSION = kindOf('model_version');

/** The name and number in the id of a version; a name may hold `/`. */
export function versionKey(id: string): { readonly name: string; readonly version: string } {
  const at = id.lastIndexOf('/');
  return { name: id.slice(0, at), version: id.slice(at + 1) };
}

/** Whether a registered model, or a version of one, is a prompt. */
export function isPrompt({ tags }: Pick<ModelVersion, 'tags'>): boolean {
  return ownValue(tags, PROMPT_TAG) === 'true';
}

/** What a version was made of: runs and logged models by their ids, and the version that it is a copy of. */
export function madeOf({ run_id, model_id, source }: ModelVersion): {
  readonly runs: readonly string[];
  readonly models: readonly string[];
  readonly version?: { readonly name: string; readonly version: string };
} {
  const located = locate(source, () => true);
  const [, run, model] = /^(?:runs:\/+([^/]+)|models:\/+(m-[\w-]+)(?:\/|$))/.exec(located) ?? [];
  const [, name, version] = model === undefined ? (/^models:\/+(.+)\/(\d+)$/.exec(source) ?? []) : [];
  return {
    runs: [...new Set([run_id ?? [], run ?? []].flat())],
    models: [...new Set([model_id ?? [], model ?? []].flat())],
    ...(name === undefined || version === undefined ? {} : { version: { name, version } }),
  };
}

/** Asks for an object by its kind and id. */
type Has = (kind: string, id: string) => boolean;

/** Whether the whole registry belongs to a selection. */
export function wantsWholeRegistry(selection: Selection): boolean {
  return wantsWholeExperiments(selection) && selection.experiments.length === 0;
}

/** Whether a version was made from something that is chosen. */
export function isMadeOfChosen(version: ModelVersion, isChosen: Has): boolean {
  const of = kindOf('model_version');
  return allReferencesOf(of, version).some(({ kind, id }) => kind !== of.within && isChosen(kind, id));
}

/** Whether a version brings files: those of a run or model that is on the target are there, a prompt has none. */
export function bringsFiles({ source, tags }: ModelVersion, isHeld: Has): boolean {
  if (isPrompt({ tags }) || /^models:\/+(?!m-)/.test(source)) return false;
  const [, kind, id = ''] = /^(runs|models):\/+([^/]+)/.exec(locate(source, isHeld)) ?? [];
  return kind === undefined || !isHeld(kind === 'runs' ? 'run' : 'logged_model', id);
}

/** Whether two versions have the same files as source: where those are is told by more than one URI. */
export function hasSameSource(a: ModelVersion, b: ModelVersion): boolean {
  const place = ({ source }: ModelVersion) =>
    locate(source, () => true).replace(/^(runs|models):\/+/, '$1:/');
  return place(a) === place(b);
}
