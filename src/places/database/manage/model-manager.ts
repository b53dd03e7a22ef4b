import { z } from 'zod';
import { MODEL } from '../../../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION, versionKey } from '../../../kinds/model-registry.ts';
import { loggedModel } from '../../../model/logged-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { Deletion, KeptObject, ModelManager, ObjectKey } from '../../model-manager.ts';
import { checkedRows } from '../read/store.ts';
import { type Changeable, equal, insertRow, type Pairs, setPairs, type Where } from './set-pairs.ts';

/** What MLflow's own store keeps of what is deleted (mlflow/store/model_registry/sqlalchemy_store.py, mlflow/store/tracking/sqlalchemy_store.py of 3.17). */
const DELETIONS: ReadonlyMap<string, Deletion> = new Map([
  [
    REGISTERED_MODEL.kind,
    {
      forGood: true,
      undo: 'whole',
      words:
        'registered models are deleted with all their rows: what they held is in the undo file, and in nothing else',
    },
  ],
  [
    VERSION.kind,
    {
      forGood: true,
      undo: 'whole',
      words:
        'model versions are emptied, as MLflow does it: what they held is in the undo file, and in nothing else',
    },
  ],
  [
    MODEL,
    { forGood: false, undo: 'whole', words: 'logged models are marked as deleted, and stay in the database' },
  ],
]);

/** The tables of a registered model with all their columns, in the order in which rows are inserted. */
const REGISTRY: Readonly<Record<string, readonly string[]>> = {
  registered_models: ['name', 'creation_time', 'last_updated_time', 'description', 'workspace'],
  registered_model_tags: ['name', 'key', 'value', 'workspace'],
  model_versions: [
    ...['name', 'version', 'creation_time', 'last_updated_time', 'description', 'user_id', 'current_stage'],
    ...['source', 'run_id', 'status', 'status_message', 'run_link', 'storage_location', 'workspace'],
  ],
  model_version_tags: ['name', 'version', 'key', 'value', 'workspace'],
  registered_model_aliases: ['name', 'alias', 'version', 'workspace'],
};

/** What MLflow makes of a deleted version; its tags stay. */
const EMPTIED = {
  current_stage: 'Deleted_Internal',
  description: null,
  user_id: null,
  source: 'REDACTED-SOURCE-PATH',
  run_id: 'REDACTED-RUN-ID',
  run_link: 'REDACTED-RUN-LINK',
  status_message: null,
} as const;

const cell = z.union([z.string(), z.number(), z.null()]);
const anyRow = z.record(z.string(), cell);
type AnyRow = z.infer<typeof anyRow>;

/** What the manager of a database lends to changes of its models. */
interface ModelContext extends Changeable {
  readonly workspace: string | undefined;
  /** A change, of which all or nothing is done. */
  change<T>(object: string, work: () => Promise<T>): Promise<T>;
}

/** Registered models, versions and logged models of a database, changed as MLflow's own store does it. */
export function databaseModelManager({ workspace, change, ...rows }: ModelContext): ModelManager {
  const { database, tables } = rows;

  /** The condition that names a registered model, or one of its versions, in a table. */
  const named = (table: string, name: string, version?: string): Where => ({
    name,
    ...(version === undefined ? {} : { version }),
    ...(workspace === undefined || !tables.has(table, 'workspace') ? {} : { workspace }),
  });

  const rowsOf = async (table: string, where: Where): Promise<AnyRow[]> => {
    if (!tables.has(table)) return [];
    const columns = (REGISTRY[table] ?? []).filter((column) => tables.has(table, column));
    const sql = `SELECT ${tables.columns(table, columns)} FROM "${table}" WHERE ${equal(where)}`;
    return checkedRows(rows, anyRow, sql, Object.values(where));
  };

  const update = async (table: string, where: Where, values: AnyRow) => {
    const held = Object.entries(values).filter(([column]) => tables.has(table, column));
    const sets = held.map(([column]) => `"${column}" = ?`).join(', ');
    const cells = [...held.map(([, value]) => value), ...Object.values(where)];
    return database.change(`UPDATE "${table}" SET ${sets} WHERE ${equal(where)}`, cells);
  };

  const mustBeThere = async ({ kind, id }: ObjectKey) => {
    const { name, version } = kind === VERSION.kind ? versionKey(id) : { name: id };
    const [table, where] =
      kind === MODEL
        ? ['logged_models', { model_id: id }]
        : kind === VERSION.kind
          ? ['model_versions', named('model_versions', name, version)]
          : ['registered_models', named('registered_models', name)];
    const columns = kind === MODEL ? 'experiment_id' : 'name';
    const sql = `SELECT ${tables.columns(table, [columns])} FROM "${table}" WHERE ${equal(where)}`;
    const condition = kind === VERSION.kind ? ` AND "current_stage" <> '${EMPTIED.current_stage}'` : '';
    const [found] = await checkedRows(rows, anyRow, sql + condition, Object.values(where));
    if (found === undefined) throw new MlferryError('NOT_FOUND', `The database has no ${kind} ${id}`);
    return found;
  };

  const pairsOf = async (of: ObjectKey): Promise<Pairs> => {
    const found = await mustBeThere(of);
    if (of.kind === MODEL)
      return {
        table: 'logged_model_tags',
        own: { model_id: of.id },
        key: 'tag_key',
        value: 'tag_value',
        more: { experiment_id: String(found.experiment_id) },
      };
    if (of.kind !== VERSION.kind)
      return { table: 'registered_model_tags', own: named('registered_model_tags', of.id) };
    const { name, version } = versionKey(of.id);
    return { table: 'model_version_tags', own: named('model_version_tags', name, version) };
  };

  const aliases = (name: string): Pairs => ({
    table: 'registered_model_aliases',
    own: named('registered_model_aliases', name),
    ...{ key: 'alias', value: 'version' },
  });

  /** MLflow notes the time of a change of a version at its registered model, too. */
  const updateVersion = async (id: string, values: AnyRow) => {
    const { name, version } = versionKey(id);
    const time = { last_updated_time: Date.now() };
    await update('model_versions', named('model_versions', name, version), { ...time, ...values });
    await update('registered_models', named('registered_models', name), time);
  };

  const deleteVersion = async (id: string) => {
    const { name, version } = versionKey(id);
    if (tables.has('registered_model_aliases')) {
      const where = named('registered_model_aliases', name, version);
      const sql = `DELETE FROM "registered_model_aliases" WHERE ${equal(where)}`;
      await database.change(sql, Object.values(where));
    }
    await updateVersion(id, EMPTIED);
  };

  const deleteModel = async (name: string) => {
    for (const table of Object.keys(REGISTRY).reverse()) {
      const where = named(table, name);
      if (tables.has(table))
        await database.change(`DELETE FROM "${table}" WHERE ${equal(where)}`, Object.values(where));
    }
  };

  const restoreVersion = async (id: string, kept: KeptObject) => {
    const { name, version } = versionKey(id);
    const [row] = keptRows(kept, 'model_versions');
    const where = named('model_versions', name, version);
    const [present] = await rowsOf('model_versions', where);
    if (row === undefined || present === undefined)
      throw new MlferryError('NOT_FOUND', `The database has no row of the version ${id} any more`);
    if (present.current_stage !== EMPTIED.current_stage)
      throw new MlferryError('REFUSED', `There is a version ${id}, which is not deleted`);
    await update('model_versions', where, row);
    for (const { alias } of keptRows(kept, 'registered_model_aliases'))
      await setPairs(rows, aliases(name), { [String(alias)]: version });
  };

  const restoreModel = async (name: string, kept: KeptObject) => {
    if ((await rowsOf('registered_models', named('registered_models', name))).length > 0)
      throw new MlferryError('REFUSED', `There is a registered model ${JSON.stringify(name)} already`);
    for (const table of Object.keys(REGISTRY))
      for (const row of keptRows(kept, table)) await insertRow(rows, table, row);
  };

  const setModelStage = async (model_id: string, lifecycle_stage: string, time: number | string) =>
    update('logged_models', { model_id }, { lifecycle_stage, last_updated_timestamp_ms: time });

  return {
    deletions: DELETIONS,
    setTags: (of, tags) => change(of.id, async () => setPairs(rows, await pairsOf(of), tags)),
    setAlias: (name, alias, version) =>
      change(name, async () => {
        if (version !== null) await mustBeThere({ kind: VERSION.kind, id: `${name}/${version}` });
        await setPairs(rows, aliases(name), { [alias]: version });
      }),
    setStage: (of, stage) =>
      change(of.id, async () => {
        await mustBeThere(of);
        await updateVersion(of.id, { current_stage: stage });
      }),
    async filesOf({ kind, id }) {
      if (kind === MODEL) return undefined;
      const { name, version } = kind === VERSION.kind ? versionKey(id) : { name: id };
      const names =
        version === undefined ? Object.keys(REGISTRY) : ['model_versions', 'registered_model_aliases'];
      const texts = names.map(async (table): Promise<[string, string]> => {
        const own = await rowsOf(table, named(table, name, version));
        return [table, JSON.stringify(own)];
      });
      return Object.fromEntries(await Promise.all(texts));
    },
    delete: (of) =>
      change(of.id, async () => {
        if (of.kind === MODEL) await setModelStage(of.id, 'deleted', Date.now());
        else if (of.kind === VERSION.kind) await deleteVersion(of.id);
        else await deleteModel(of.id);
      }),
    remake: ({ kind, id }, kept) =>
      change(id, async () => {
        if (kind === VERSION.kind) return restoreVersion(id, kept);
        if (kind === REGISTERED_MODEL.kind) return restoreModel(id, kept);
        const { last_updated_timestamp_ms: time } = loggedModel.parse(kept.record);
        if ((await setModelStage(id, 'active', time)) === 0)
          throw new MlferryError('NOT_FOUND', `The database has no logged model ${id} any more`);
      }),
  };
}

/** The rows of a table that were kept. Throws UNSUPPORTED for what another kind of place kept, CORRUPT for no rows. */
function keptRows({ files = {} }: KeptObject, table: string): AnyRow[] {
  if (files.model_versions === undefined)
    throw new MlferryError(
      'UNSUPPORTED',
      'The undo file is of another kind of place, and holds no rows of a database',
    );
  try {
    return z.array(anyRow).parse(JSON.parse(files[table] ?? '[]'));
  } catch (error) {
    throw new MlferryError('CORRUPT', `The undo file does not tell the rows of ${table}`, { cause: error });
  }
}
