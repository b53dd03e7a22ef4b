import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MODEL } from '../../../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION, versionKey } from '../../../kinds/model-registry.ts';
import { type ModelVersion, modelVersion } from '../../../model/registered-model.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { Deletion, KeptObject, ModelManager, ObjectKey } from '../../model-manager.ts';
import { editMetaYaml, type MetaEdit } from '../layout/edit-meta-yaml.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { isDirectory, META_FILE } from '../layout/layout.ts';
import { modelMetaFields } from '../layout/meta-fields.ts';
import { toModelMeta } from '../layout/meta-records.ts';
import { formatMetaYaml, readMetaYaml } from '../layout/meta-yaml.ts';
import { DELETED_STAGE, registryOf, toModelVersion, versionDirectory } from '../layout/registry-files.ts';
import type { Staging } from '../layout/staging.ts';
import { MODELS } from '../read/logged-models.ts';
import { mustBeName } from '../write/write-registry.ts';
import { writeTags } from './write-tags.ts';

/** What MLflow's own stores of files keep of what is deleted (mlflow/store/model_registry/file_store.py). */
const DELETIONS: ReadonlyMap<string, Deletion> = new Map([
  [
    REGISTERED_MODEL.kind,
    {
      forGood: true,
      undo: 'whole',
      words:
        'registered models are deleted with their directories: what they held is in the undo file, and in nothing else',
    },
  ],
  [
    VERSION.kind,
    { forGood: false, undo: 'whole', words: 'model versions are marked as deleted, and stay on the disk' },
  ],
  [
    MODEL,
    { forGood: false, undo: 'whole', words: 'logged models are marked as deleted, and stay on the disk' },
  ],
]);

/** What the manager of a directory lends to changes of its models. */
interface ModelStore {
  readonly root: string;
  readonly staging: Staging;
  experimentDir(experiment_id: string): Promise<string>;
  guard<T>(object: string, work: () => Promise<T>): Promise<T>;
}

/** Registered models, versions and logged models of a directory, changed as MLflow's own store of files does it. */
export function fileStoreModelManager({ root, staging, experimentDir, guard }: ModelStore): ModelManager {
  const modelDir = (name: string) => join(registryOf(root), mustBeName(name));
  const versionDir = (id: string) => {
    const { name, version } = versionKey(id);
    return join(modelDir(name), versionDirectory(version));
  };

  const directoryOf = async ({ kind, id, experiment_id = '' }: ObjectKey): Promise<string> => {
    const directory =
      kind === REGISTERED_MODEL.kind
        ? modelDir(id)
        : kind === VERSION.kind
          ? versionDir(id)
          : join(await experimentDir(experiment_id), MODELS, mustBeName(id));
    if (await isDirectory(directory)) return directory;
    throw new MlferryError('NOT_FOUND', `${root} has no ${directory.slice(root.length + 1)}`);
  };

  const edit = async (directory: string, edits: readonly MetaEdit[]) => {
    const path = join(directory, META_FILE);
    await staging.replaceFile(path, editMetaYaml(await readFile(path, 'utf8'), path, edits));
  };
  /** MLflow writes the time of a change of what belongs to a registered model there. */
  const touch = (name: string) => edit(modelDir(name), [[['last_updated_timestamp'], BigInt(Date.now())]]);

  const pathOfAlias = (name: string, alias: string) => {
    if (!/^[\w-]+$/.test(alias))
      throw new MlferryError('REFUSED', `${JSON.stringify(alias)} cannot be an alias`);
    return join(modelDir(name), 'aliases', alias);
  };
  const aliasesOf = async (name: string, version: string): Promise<string[]> => {
    const own: string[] = [];
    for (const { key, path } of await listKeyFiles(join(modelDir(name), 'aliases')))
      if ((await readFile(path, 'utf8')).trim() === version) own.push(key);
    return own;
  };

  const setModelStage = async (
    of: ObjectKey,
    lifecycle_stage: 'active' | 'deleted',
    time: number | string,
  ) => {
    const directory = await directoryOf(of);
    const path = join(directory, META_FILE);
    const { deleted: _, ...meta } = toModelMeta(await readMetaYaml(path), path);
    const record = { ...meta, kind: 'logged_model' as const, params: {}, tags: {}, metrics: [] };
    const fields = modelMetaFields({ ...record, last_updated_timestamp_ms: time });
    await staging.replaceFile(path, formatMetaYaml({ ...fields, lifecycle_stage }));
  };

  const restoreVersion = async (of: ObjectKey, { record }: KeptObject) => {
    const version = modelVersion.parse(record);
    const directory = await directoryOf(of);
    const path = join(directory, META_FILE);
    const present = toModelVersion(await readMetaYaml(path), path);
    if (present.source !== version.source)
      throw new MlferryError('REFUSED', `${directory} is another version, made of ${present.source}`);
    // The stage comes last: until then the version counts as deleted, and an interrupted attempt is gone on with.
    for (const alias of version.aliases)
      await staging.replaceFile(pathOfAlias(version.name, alias), version.version);
    await edit(directory, [
      [['current_stage'], version.current_stage],
      [['last_updated_timestamp'], BigInt(version.last_updated_timestamp)],
    ]);
    await touch(version.name);
  };

  const restoreModel = async ({ id }: ObjectKey, { files = {} }: KeptObject) => {
    const directory = modelDir(id);
    if (await isDirectory(directory))
      throw new MlferryError('REFUSED', `${directory} is there already, with other content`);
    const entries = Object.entries(files);
    if (entries.length === 0)
      throw new MlferryError(
        'UNSUPPORTED',
        'The undo file is of a server, and holds no files of a directory',
      );
    if (entries.some(([path]) => path.split('/').some((part) => part === '..' || part === '')))
      throw new MlferryError('CORRUPT', 'The undo file names files outside of the registered model');
    await staging.placeDirectory(directory, async (temporary) => {
      if (temporary === undefined) return;
      for (const [path, text] of entries) {
        const file = join(temporary, ...path.split('/'));
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, text, { flush: true });
      }
    });
  };

  return {
    deletions: DELETIONS,
    setTags: (of, tags) =>
      guard(of.id, async () => {
        await writeTags(staging, join(await directoryOf(of), 'tags'), tags);
        if (of.kind !== MODEL) await touch(of.kind === VERSION.kind ? versionKey(of.id).name : of.id);
      }),
    setAlias: (name, alias, version) =>
      guard(name, async () => {
        const path = pathOfAlias(name, alias);
        if (version === null) await staging.removeFile(path);
        else {
          await mustBeThere(versionDir(`${name}/${version}`));
          await staging.replaceFile(path, version);
        }
        await touch(name);
      }),
    setStage: (of, stage) =>
      guard(of.id, async () => {
        const directory = await directoryOf(of);
        await mustBeThere(directory);
        await edit(directory, [
          [['current_stage'], stage],
          [['last_updated_timestamp'], BigInt(Date.now())],
        ]);
        await touch(versionKey(of.id).name);
      }),
    filesOf: async (of) => (of.kind === REGISTERED_MODEL.kind ? textsIn(await directoryOf(of)) : undefined),
    delete: (of) =>
      guard(of.id, async () => {
        if (of.kind === MODEL) return setModelStage(of, 'deleted', Date.now());
        const directory = await directoryOf(of);
        if (of.kind === REGISTERED_MODEL.kind) {
          // Out of MLflow's sight at once, then gone.
          const away = await staging.newPath();
          if (away === undefined) return;
          await rename(directory, away);
          await rm(away, { recursive: true, force: true });
          return;
        }
        const { name, version } = versionKey(of.id);
        for (const alias of await aliasesOf(name, version))
          await staging.removeFile(pathOfAlias(name, alias));
        await edit(directory, [
          [['current_stage'], DELETED_STAGE],
          [['last_updated_timestamp'], BigInt(Date.now())],
        ]);
        await touch(name);
      }),
    remake: (of, kept) =>
      guard(of.id, async () => {
        if (of.kind === VERSION.kind) return restoreVersion(of, kept);
        if (of.kind === REGISTERED_MODEL.kind) return restoreModel(of, kept);
        const { last_updated_timestamp_ms: time } = kept.record;
        await setModelStage(of, 'active', typeof time === 'string' ? time : Number(time));
      }),
  };
}

/** Throws NOT_FOUND for a version that is marked as deleted. */
async function mustBeThere(directory: string): Promise<ModelVersion['version']> {
  const path = join(directory, META_FILE);
  if (await isDirectory(directory)) {
    const { current_stage, version } = toModelVersion(await readMetaYaml(path), path);
    if (current_stage !== DELETED_STAGE) return version;
  }
  throw new MlferryError('NOT_FOUND', `There is no version ${directory}`);
}

/** The texts of all files below a directory by their paths. Throws UNSUPPORTED for one that is no text: files of a model. */
async function textsIn(directory: string): Promise<StringMap> {
  const texts: [string, string][] = [];
  for (const { key, path, problem } of await listKeyFiles(directory)) {
    const bytes = await readFile(path);
    const text = bytes.toString();
    if (problem !== undefined || /^version-\d+\/artifacts\//.test(key) || !bytes.equals(Buffer.from(text)))
      throw new MlferryError('UNSUPPORTED', `${path} cannot be kept in an undo file`);
    texts.push([key, text]);
  }
  return Object.fromEntries(texts);
}
