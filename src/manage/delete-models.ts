import { MODEL } from '../kinds/model-links.ts';
import { madeOf, REGISTERED_MODEL, VERSION, versionKey } from '../kinds/model-registry.ts';
import { MODEL_STAGES } from '../model/mlflow/model-stages.ts';
import type { Manager } from '../places/manager.ts';
import { MlferryError } from '../util/errors.ts';
import { objectText } from './change-objects.ts';
import { NO_PLAN } from './changes.ts';
import { chosenModels, type ModelChoiceOptions } from './chosen-models.ts';
import { keepObject } from './keep-object.ts';
import { type ManageReport, manage, orListed } from './manage-job.ts';
import {
  changeOf,
  type ObjectChange,
  type PresentObject,
  presentVersions,
  stageOf,
} from './object-changes.ts';
import { readRegistry } from './read-models.ts';

/** Options of {@link deleteModels}. */
export interface DeleteModelsOptions extends ModelChoiceOptions {
  /** Said by whoever means what the place itself does not keep; without it such a deletion throws USAGE. */
  readonly permanently?: boolean | undefined;
}

/**
 * Deletes registered models with their versions, versions, and logged models. What it takes to make them again is in the undo
 * file, as far as the place lets it be made; `final` in the report counts what nothing brings back. Throws USAGE where the place keeps
 * nothing of what it deletes, unless `permanently` says that this is meant (a dry run tells it as a note).
 */
export async function deleteModels(location: string, options: DeleteModelsOptions): Promise<ManageReport> {
  return manage(location, 'delete-models', options, async (manager, ledger) => {
    const chosen = await chosenModels(manager.reader, options, ledger);
    const whole = new Set(
      chosen.objects.flatMap(({ kind, id }) => (kind === REGISTERED_MODEL.kind ? id : [])),
    );
    const objects = chosen.objects.filter(
      ({ kind, id }) => kind !== VERSION.kind || !whole.has(versionKey(id).name),
    );
    const notes = deletionNotes(manager, objects, options);
    const changes: ObjectChange[] = [];
    for (const object of objects) {
      const kept = await orListed(ledger, objectText(object), () => keepObject(manager, object));
      if (kept === undefined) continue;
      changes.push({ ...changeOf(object, { deleted: false }, { deleted: true }), ...kept });
    }
    const others = [...inUse(objects), ...(await stillRegistered(manager, objects))];
    return { ...NO_PLAN, objects: changes, notes: [...chosen.notes, ...notes, ...others] };
  });
}

/** What the place does not keep of what it deletes. */
function deletionNotes(
  { models }: Manager,
  objects: readonly PresentObject[],
  { permanently = false, dryRun = false }: DeleteModelsOptions,
): string[] {
  const kinds = new Set(objects.map(({ kind }) => kind));
  const words = [...models.deletions].flatMap(([kind, deletion]) =>
    kinds.has(kind) && deletion.forGood ? deletion.words : [],
  );
  if (words.length === 0 || permanently) return words;
  const hint = 'Add --permanently if that is meant.';
  if (dryRun) return words.map((text) => `${text}. ${hint}`);
  throw new MlferryError('USAGE', `Here ${words.join('; ')}`, { hint });
}

/** How many of the versions that go are in use, by what MLflow tells of it. */
function inUse(objects: readonly PresentObject[]): string[] {
  const versions = objects.flatMap((object) =>
    object.kind === VERSION.kind ? object : presentVersions(object),
  );
  const staged = versions.filter(
    (version) => !['', MODEL_STAGES[0], 'Archived'].includes(stageOf(version) ?? ''),
  );
  const aliased = versions.filter(({ record }) => 'aliases' in record && record.aliases.length > 0);
  return [
    ...(staged.length === 0 ? [] : [`${staged.length} versions among them are in a stage: ${names(staged)}`]),
    ...(aliased.length === 0
      ? []
      : [`${aliased.length} versions among them have aliases: ${names(aliased)}`]),
  ];
}

const MOST_NAMES = 3;
const names = (of: readonly PresentObject[]) =>
  `${of
    .slice(0, MOST_NAMES)
    .map(({ name }) => name)
    .join(', ')}${of.length > MOST_NAMES ? ', …' : ''}`;

/** Versions that load no more when these logged models are gone. */
async function stillRegistered({ reader }: Manager, objects: readonly PresentObject[]): Promise<string[]> {
  const ids = new Set(objects.flatMap(({ kind, id }) => (kind === MODEL ? id : [])));
  if (ids.size === 0) return [];
  const broken = [...(await readRegistry(reader)).values()].flatMap((model) =>
    presentVersions(model, (version) => madeOf(version).models.some((id) => ids.has(id))),
  );
  return broken.length === 0
    ? []
    : [
        `${broken.length} registered versions are made of these logged models, and load no more: ${names(broken)}`,
      ];
}
