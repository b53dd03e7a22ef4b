import { MODEL } from '../kinds/model-links.ts';
import { VERSION, versionKey } from '../kinds/model-registry.ts';
import { aliasProblem } from '../model/mlflow/aliases.ts';
import { ownValue } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import { objectText } from './change-objects.ts';
import { NO_PLAN } from './changes.ts';
import { chosenModels, type ModelChoiceOptions } from './chosen-models.ts';
import { type ManageReport, manage, orListed } from './manage-job.ts';
import { changeOf, type ObjectChange } from './object-changes.ts';
import { hasTags, tagsBefore } from './tag-state.ts';

/**
 * Points an alias to the chosen version of each registered model, wherever it pointed before. One of which several versions are
 * chosen is a failure. Throws USAGE for a name that MLflow takes for no alias.
 */
export async function setModelAlias(
  location: string,
  alias: string,
  options: ModelChoiceOptions,
): Promise<ManageReport> {
  mustBeAlias(alias);
  return manage(location, 'alias-models', options, async (manager, ledger) => {
    const chosen = await chosenModels(manager.reader, { ...options, versions: true }, ledger);
    mustBeRegistered(chosen.objects);
    const changes: ObjectChange[] = [];
    let unchanged = 0;
    for (const [name, versions] of Map.groupBy(chosen.objects, ({ id }) => versionKey(id).name)) {
      const model = chosen.registry.get(name);
      const [first] = versions;
      if (model === undefined || first === undefined) continue;
      await orListed(ledger, objectText(model), async () => {
        if (versions.length > 1)
          throw new MlferryError(
            'REFUSED',
            `The alias can be of one version, and ${versions.length} are chosen`,
            {
              hint: `Name one: ${name}/latest, ${name}/${versionKey(first.id).version}.`,
            },
          );
        const after = { [alias]: versionKey(first.id).version };
        if (hasTags(model.aliases, after)) unchanged += 1;
        else
          changes.push(changeOf(model, { aliases: tagsBefore(model.aliases, [alias]) }, { aliases: after }));
      });
    }
    return { ...NO_PLAN, objects: changes, unchanged, notes: chosen.notes };
  });
}

/** Removes aliases of the chosen registered models, or of the chosen versions only. Throws USAGE without any. */
export async function removeModelAliases(
  location: string,
  aliases: readonly string[],
  options: ModelChoiceOptions,
): Promise<ManageReport> {
  if (aliases.length === 0) throw new MlferryError('USAGE', 'No alias is named');
  return manage(location, 'alias-models', options, async (manager, ledger) => {
    const chosen = await chosenModels(manager.reader, options, ledger);
    mustBeRegistered(chosen.objects);
    const removed = new Map<string, Set<string>>();
    for (const { kind, id } of chosen.objects) {
      const { name, version } = kind === VERSION.kind ? versionKey(id) : { name: id, version: undefined };
      const own = removed.get(name) ?? new Set<string>();
      removed.set(name, own);
      for (const alias of aliases) {
        const holder = ownValue(chosen.registry.get(name)?.aliases ?? {}, alias);
        if (holder !== undefined && (version === undefined || holder === version)) own.add(alias);
      }
    }
    const changes: ObjectChange[] = [];
    for (const [name, own] of removed) {
      const model = chosen.registry.get(name);
      if (model === undefined || own.size === 0) continue;
      const after = Object.fromEntries([...own].map((alias) => [alias, null]));
      changes.push(changeOf(model, { aliases: tagsBefore(model.aliases, [...own]) }, { aliases: after }));
    }
    return { ...NO_PLAN, objects: changes, unchanged: removed.size - changes.length, notes: chosen.notes };
  });
}

function mustBeAlias(alias: string): void {
  const problem = aliasProblem(alias);
  if (problem !== undefined)
    throw new MlferryError('USAGE', `${JSON.stringify(alias)} cannot be an alias: ${problem}`);
}

function mustBeRegistered(objects: ReadonlyArray<{ readonly kind: string }>): void {
  if (objects.some(({ kind }) => kind === MODEL))
    throw new MlferryError('USAGE', 'A logged model has no aliases: its registered versions have');
}
