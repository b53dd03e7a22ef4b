import { kindOf } from '../kinds/kinds.ts';
import { MODEL } from '../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION } from '../kinds/model-registry.ts';
import type { Findings } from '../model/findings.ts';
import { globMatcher } from '../model/selection.ts';
import type { Reader } from '../places/place.ts';
import { filterOf } from '../places/selecting/object-filter.ts';
import { tellMissing } from '../places/selecting/registered-choice.ts';
import { matchRegistered, whyNothing } from '../places/selecting/registered-pattern.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import type { ManageOptions } from './manage-job.ts';
import { type PresentObject, presentVersions } from './object-changes.ts';
import { readLoggedModels, readRegistry } from './read-models.ts';

/** Options of commands that choose registered models, versions or logged models. */
export interface ModelChoiceOptions extends ManageOptions {
  /** `NAME`, a glob, or of a version `NAME@alias`, `NAME/3`, `NAME/latest`. */
  readonly registeredModels?: readonly string[] | undefined;
  readonly registeredModelFilter?: string | undefined;
  /** Only versions that fit, and not their registered models. */
  readonly modelVersionFilter?: string | undefined;
  /** The versions of chosen registered models, and not these themselves. */
  readonly versions?: boolean | undefined;
  /** Prompts too, where a glob or a filter chooses. */
  readonly prompts?: boolean | undefined;
  /** Logged models by their ids, or by names or globs of names. */
  readonly loggedModels?: readonly string[] | undefined;
  readonly modelFilter?: string | undefined;
  /** Experiments in which logged models are looked for; default all. */
  readonly experiments?: readonly string[] | undefined;
  readonly excludeExperiments?: readonly string[] | undefined;
}

/** What was chosen. */
export interface ChosenModels {
  /** Registered models, versions and logged models, each once. */
  readonly objects: readonly PresentObject[];
  /** All registered models of the place by name, where the registry was asked for. */
  readonly registry: ReadonlyMap<string, PresentObject>;
  readonly notes: readonly string[];
}

/** Finds what the options choose. Throws USAGE where they choose nothing, EXPRESSION for a wrong filter; what fits nothing is a failure. */
export async function chosenModels(
  reader: Reader,
  options: ModelChoiceOptions,
  findings: Findings,
): Promise<ChosenModels> {
  const { registeredModels, registeredModelFilter, modelVersionFilter, loggedModels, modelFilter } = options;
  const ofRegistry = [registeredModels, registeredModelFilter, modelVersionFilter].some(isGiven);
  const ofLogged = [loggedModels, modelFilter].some(isGiven);
  if (!ofRegistry && !ofLogged)
    throw new MlferryError('USAGE', 'Nothing says which models', {
      hint: "Name them with --registered-model or --logged-model, or with a filter; --registered-model '*' means all.",
    });
  const registry = ofRegistry ? await readRegistry(reader) : new Map<string, PresentObject>();
  const { objects, prompts } = chosenOfRegistry(registry, ofRegistry ? options : {}, findings);
  const logged = ofLogged ? await chosenLoggedModels(reader, options, findings) : [];
  const note = `${prompts} prompts fit too, and are left as they are: --prompts takes them, or their names`;
  return { objects: [...objects, ...logged], registry, notes: prompts === 0 ? [] : [note] };
}

const isGiven = (value: unknown) => value !== undefined && !(Array.isArray(value) && value.length === 0);

function chosenOfRegistry(
  registry: ReadonlyMap<string, PresentObject>,
  options: ModelChoiceOptions,
  findings: Findings,
): { readonly objects: readonly PresentObject[]; readonly prompts: number } {
  const { registeredModels = [], registeredModelFilter, modelVersionFilter } = options;
  const selection = {
    ...(registeredModelFilter === undefined ? {} : { registered_model_filter: registeredModelFilter }),
    ...(modelVersionFilter === undefined ? {} : { model_version_filter: modelVersionFilter }),
  };
  searchOf(selection);
  const fitsModel = filterOf(REGISTERED_MODEL, selection);
  const fitsVersion = filterOf(VERSION, selection);
  const versionsOnly = options.versions === true || fitsVersion !== undefined;
  const isAny = registeredModels.length + Object.keys(selection).length > 0;
  const patterns = registeredModels.length > 0 ? registeredModels : isAny ? ['*'] : [];
  const models = new Map<string, PresentObject>();
  const versions = new Map<string, PresentObject>();
  const prompts = new Set<string>();
  for (const pattern of new Set(patterns)) {
    const { wanted, found } = matchRegistered(pattern, registry.keys());
    let fits = wanted === undefined && found.length > 0;
    for (const name of found) {
      const model = registry.get(name);
      if (model === undefined) continue;
      const own =
        wanted === undefined ? model.versions : model.versions.filter((v) => wanted(v, model.versions));
      fits ||= own.length > 0;
      if (fitsModel?.(model.record) === false) continue;
      const asModel = wanted === undefined && !versionsOnly;
      const fitting = new Set(own.filter((version) => fitsVersion?.(version) !== false));
      if (model.is_prompt && options.prompts !== true && !isNamedBy(pattern, name)) {
        if (asModel || fitting.size > 0) prompts.add(name);
      } else if (asModel) models.set(name, model);
      else
        for (const version of presentVersions(model, (each) => fitting.has(each)))
          versions.set(version.id, version);
    }
    if (!fits && registeredModels.length > 0)
      tellMissing(pattern, whyNothing(pattern, found, registry.keys()), findings);
  }
  for (const name of models.keys()) prompts.delete(name);
  return { objects: [...models.values(), ...versions.values()], prompts: prompts.size };
}

/** Whether a pattern is this very name, or a version of it. */
function isNamedBy(pattern: string, name: string): boolean {
  return (
    pattern === name ||
    (pattern.startsWith(name) && /^(?:@[^@/]+|\/(?:latest|\d+))$/.test(pattern.slice(name.length)))
  );
}

async function chosenLoggedModels(
  reader: Reader,
  options: ModelChoiceOptions,
  findings: Findings,
): Promise<readonly PresentObject[]> {
  const { loggedModels = [], modelFilter, experiments = [], excludeExperiments = [] } = options;
  const selection = {
    experiments,
    ...(excludeExperiments.length === 0 ? {} : { exclude_experiments: excludeExperiments }),
    ...(modelFilter === undefined ? {} : { model_filter: modelFilter }),
  };
  searchOf(selection);
  const all = await readLoggedModels(reader, selection);
  if (loggedModels.length === 0) return all;
  const chosen = new Set<PresentObject>();
  for (const pattern of new Set(loggedModels)) {
    const isLike = globMatcher(pattern);
    const found = all.filter(({ id, name }) => id === pattern || isLike(name));
    for (const model of found) chosen.add(model);
    if (found.length > 0) continue;
    const near = nearest(pattern, new Set(all.map(({ name }) => name)));
    const hint = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
    const error = new MlferryError('NOT_FOUND', `there is no such ${kindOf(MODEL).words.one}${hint}`);
    const object = `${kindOf(MODEL).words.one} ${JSON.stringify(pattern)}`;
    findings.failure({ code: error.code, object, message: error.message, hint: error.hint });
  }
  return [...chosen];
}
