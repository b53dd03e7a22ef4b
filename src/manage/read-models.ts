import { MODEL } from '../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION } from '../kinds/model-registry.ts';
import { loggedModel } from '../model/logged-model.ts';
import { type ModelVersion, modelVersion, registeredModel } from '../model/registered-model.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import type { ObjectKey } from '../places/model-manager.ts';
import type { Reader } from '../places/place.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';
import { MlferryError } from '../util/errors.ts';
import {
  keyText,
  type PresentObject,
  presentLoggedModel,
  presentModel,
  presentVersions,
} from './object-changes.ts';

/** The registered models and prompts of a place by name, with their versions: those that a selection chooses. */
export async function readRegistry(
  { objects }: Pick<Reader, 'objects'>,
  selection: Selection = WHOLE_REGISTRY.selection,
): Promise<ReadonlyMap<string, PresentObject>> {
  const scope = { ...WHOLE_REGISTRY, selection };
  const versions = new Map<string, ModelVersion[]>();
  for await (const { record } of objects?.get(VERSION.kind)?.read(scope) ?? []) {
    const version = modelVersion.parse(record);
    const own = versions.get(version.name);
    if (own === undefined) versions.set(version.name, [version]);
    else own.push(version);
  }
  const models: PresentObject[] = [];
  for await (const { record } of objects?.get(REGISTERED_MODEL.kind)?.read(scope) ?? []) {
    const model = registeredModel.parse(record);
    models.push(presentModel(model, versions.get(model.name) ?? []));
  }
  return new Map(models.sort((a, b) => (a.id < b.id ? -1 : 1)).map((model) => [model.id, model]));
}

/** The logged models of selected experiments that fit `model_filter`. Throws UNSUPPORTED where the place has none. */
export async function readLoggedModels(
  reader: Reader,
  selection: Partial<Selection>,
): Promise<PresentObject[]> {
  const source = reader.objects?.get(MODEL);
  if (source === undefined)
    throw new MlferryError('UNSUPPORTED', `${reader.info.location} has no logged models`, {
      hint: 'They came with MLflow 3.0.',
    });
  const whole = { ...ALL_ACTIVE, ...selection };
  const experiments = [];
  for await (const experiment of reader.experiments(whole)) experiments.push(experiment);
  const found: PresentObject[] = [];
  const scope = { selection: whole, experiments, isChosen: () => true, isHeld: () => true };
  for await (const { record } of source.read(scope))
    found.push(presentLoggedModel(loggedModel.parse(record)));
  return found;
}

/** These objects as they are now, by {@link keyText}; those that are not there are missing. */
export async function readObjects(
  reader: Reader,
  keys: readonly ObjectKey[],
): Promise<ReadonlyMap<string, PresentObject>> {
  const found = new Map<string, PresentObject>();
  const add = (object: PresentObject) => found.set(keyText(object), object);
  if (keys.some(({ kind }) => kind !== MODEL))
    for (const model of (await readRegistry(reader)).values())
      for (const object of [model, ...presentVersions(model)]) add(object);
  const experiments = new Set(
    keys.flatMap(({ kind, experiment_id }) => (kind === MODEL ? (experiment_id ?? []) : [])),
  );
  if (experiments.size > 0)
    for (const object of await readLoggedModels(reader, { experiments: [...experiments], view: 'all' }))
      add(object);
  return found;
}
