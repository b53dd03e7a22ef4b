import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { bringsFiles, isMadeOfChosen, wantsWholeRegistry } from '../../../kinds/model-registry.ts';
import { MODEL_STAGES } from '../../../model/mlflow/model-stages.ts';
import {
  type ModelVersion,
  modelVersion,
  type RegisteredModel,
  registeredModel,
} from '../../../model/registered-model.ts';
import { type ArtifactOwner, NO_FILES } from '../../artifact-owner.ts';
import type { ObjectScope, ObjectSource } from '../../objects.ts';
import { fitRegisteredModel, representVersion } from '../write/fit-registry.ts';
import { integer, numericId, optionalText, text } from './cells.ts';
import { checkedRows, inWorkspace, mapOf, type Store } from './store.ts';
import { versionFiles } from './version-files.ts';

/** What MLflow makes of the stage of a deleted version, whose other fields it empties (mlflow/store/model_registry/sqlalchemy_store.py). */
export const DELETED = 'Deleted_Internal';

const modelRow = z.object({
  name: z.string().min(1),
  creation_time: integer,
  last_updated_time: integer,
  description: optionalText,
});

const versionRow = z.object({
  name: z.string().min(1),
  version: numericId,
  creation_time: integer,
  last_updated_time: integer,
  description: optionalText,
  user_id: optionalText,
  current_stage: text,
  source: text,
  run_id: optionalText,
  status: text,
  status_message: optionalText,
  run_link: optionalText,
});

const modelTagRow = z.object({ name: z.string(), key: z.string(), value: text });
const versionTagRow = modelTagRow.extend({ version: numericId });
const aliasRow = z.object({ name: z.string(), alias: z.string(), version: numericId });

/** The rows of a table of the registry, in the workspace: of all names, or one, or one version of it. */
function registryRows<T>(
  store: Store,
  table: string,
  schema: z.ZodObject & z.ZodType<T>,
  { name, version, order = '' }: { name?: string; version?: string; order?: string } = {},
): Promise<T[]> {
  if (!store.tables.has(table)) return Promise.resolve([]);
  const { where, parameters } = inWorkspace(store, table);
  const columns = store.tables.columns(table, Object.keys(schema.shape));
  const own = name === undefined ? '' : ` AND "name" = ?${version === undefined ? '' : ' AND "version" = ?'}`;
  const sql = `SELECT ${columns} FROM "${table}" WHERE ${where}${own}${order}`;
  return checkedRows(store, schema, sql, [...parameters, ...[name ?? [], version ?? []].flat()]);
}

function registeredModelOf(
  { name, description, creation_time, last_updated_time }: z.infer<typeof modelRow>,
  tags: readonly z.infer<typeof modelTagRow>[] | undefined,
): RegisteredModel {
  return {
    kind: 'registered_model',
    name,
    ...(description === undefined ? {} : { description }),
    creation_timestamp: creation_time,
    last_updated_timestamp: last_updated_time,
    tags: mapOf(tags),
  };
}

/** One registered model; `undefined` where there is none of this name. */
export async function readRegisteredModel(store: Store, name: string): Promise<RegisteredModel | undefined> {
  const [row] = await registryRows(store, 'registered_models', modelRow, { name });
  if (row === undefined) return undefined;
  return registeredModelOf(row, await registryRows(store, 'registered_model_tags', modelTagRow, { name }));
}

/** The registered models and prompts of a database, by name. */
export function registeredModels(store: Store): ObjectSource {
  const of = kindOf('registered_model');
  return {
    represent: (wanted) => fitRegisteredModel(store, registeredModel.parse(wanted)),
    async *read(scope) {
      const whole = wantsWholeRegistry(scope.selection);
      const chosen = whole ? undefined : await namesOfChosen(store, scope);
      if (chosen?.size === 0) return;
      const order = ` ORDER BY ${store.database.dialect.bytes('"name"')}`;
      const tags = Map.groupBy(
        await registryRows(store, 'registered_model_tags', modelTagRow),
        ({ name }) => name,
      );
      for (const row of await registryRows(store, 'registered_models', modelRow, { order })) {
        if (chosen?.has(row.name) === false) continue;
        const record = registeredModelOf(row, tags.get(row.name));
        yield { of, record, ...NO_FILES, ...(whole ? {} : { belongs: true }) };
      }
    },
  };
}

/** The names of which a version was made from what is chosen. */
async function namesOfChosen(store: Store, { isChosen }: ObjectScope): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const version of readVersions(store))
    if (isMadeOfChosen(version, isChosen)) names.add(version.name);
  return names;
}

/** The versions of all registered models, by name and number; deleted ones are none. */
async function* readVersions(store: Store): AsyncGenerator<ModelVersion> {
  const order = ` ORDER BY ${store.database.dialect.bytes('"name"')}, "model_versions"."version"`;
  const idOf = ({ name, version }: { name: string; version: string }) => `${name}/${version}`;
  const tags = Map.groupBy(await registryRows(store, 'model_version_tags', versionTagRow), idOf);
  const aliases = Map.groupBy(await registryRows(store, 'registered_model_aliases', aliasRow), idOf);
  for (const row of await registryRows(store, 'model_versions', versionRow, { order }))
    if (row.current_stage !== DELETED) yield versionOf(row, aliases.get(idOf(row)), tags.get(idOf(row)));
}

function versionOf(
  row: z.infer<typeof versionRow>,
  aliases: readonly z.infer<typeof aliasRow>[] = [],
  tags: readonly z.infer<typeof versionTagRow>[] = [],
): ModelVersion {
  const { name, version, description, run_id, run_link, status_message, user_id } = row;
  return {
    kind: 'model_version',
    name,
    version,
    ...(description === undefined ? {} : { description }),
    current_stage: row.current_stage || MODEL_STAGES[0],
    aliases: aliases.map(({ alias }) => alias).sort(),
    source: row.source,
    ...(run_id === undefined ? {} : { run_id }),
    ...(run_link === undefined ? {} : { run_link }),
    status: row.status || 'READY',
    ...(status_message === undefined ? {} : { status_message }),
    ...(user_id === undefined ? {} : { user_id }),
    creation_timestamp: row.creation_time,
    last_updated_timestamp: row.last_updated_time,
    tags: mapOf(tags),
  };
}

/** One version, and whether it is deleted: then it has but its tags. */
export async function readVersion(
  store: Store,
  name: string,
  version: string,
): Promise<{ readonly record: ModelVersion; readonly isDeleted: boolean } | undefined> {
  const of = { name, version };
  const [row] = await registryRows(store, 'model_versions', versionRow, of);
  if (row === undefined) return undefined;
  const aliases = await registryRows(store, 'registered_model_aliases', aliasRow, of);
  const tags = await registryRows(store, 'model_version_tags', versionTagRow, of);
  return { record: versionOf(row, aliases, tags), isDeleted: row.current_stage === DELETED };
}

/** Which version of a registered model each of its aliases means. */
export async function readAliases(store: Store, name: string): Promise<ReadonlyMap<string, string>> {
  const rows = await registryRows(store, 'registered_model_aliases', aliasRow, { name });
  return new Map(rows.map(({ alias, version }) => [alias, version]));
}

/** The versions of the registered models and prompts of a database. */
export function modelVersions(store: Store): ObjectSource {
  const of = kindOf('model_version');
  return {
    represent: (wanted, present) =>
      representVersion(store, modelVersion.parse(wanted), modelVersion.parse(present)),
    async *read({ isHeld }) {
      for await (const record of readVersions(store)) {
        const files: ArtifactOwner = bringsFiles(record, isHeld) ? versionFiles(store, record) : NO_FILES;
        yield { of, record, ...files };
      }
    },
  };
}
