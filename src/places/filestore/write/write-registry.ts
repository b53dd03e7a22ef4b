import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sizeOfFile } from '../../../artifacts/local/put-file.ts';
import { DIGEST_TAG, ORIGIN_TAG, originId, withoutBookkeeping } from '../../../model/canonical.ts';
import type { FoundObject } from '../../../model/findings.ts';
import {
  type ModelVersion,
  modelVersion,
  type RegisteredModel,
  registeredModel,
} from '../../../model/registered-model.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { MlferryError } from '../../../util/errors.ts';
import { hasFiles } from '../../has-files.ts';
import { notedSince } from '../../noted-since.ts';
import type { ObjectReader, ObjectTarget, ObjectWriter, WrittenObject } from '../../objects.ts';
import { fileUri } from '../layout/file-uri.ts';
import { isDirectory, listExperimentDirs, META_FILE } from '../layout/layout.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import {
  modelVersionMeta,
  registeredModelMeta,
  registryOf,
  versionDirectory,
} from '../layout/registry-files.ts';
import { MODELS } from '../read/logged-models.ts';
import { readTexts } from '../read/read-run.ts';
import { createTagCheck } from './experiment-tags.ts';
import { ownFilesOf } from './fit-version.ts';
import type { StoreContext } from './run-context.ts';
import { writeArtifacts, writeFiles } from './run-parts.ts';
import { readTag } from './target-runs.ts';

/** Writes registered models and their versions to the registry of a store. */
export interface RegistryWriter {
  readonly models: ObjectWriter;
  readonly versions: ObjectWriter;
}

/** See {@link RegistryWriter}. A name or number that the store has from elsewhere is left as it is. */
export function registryWriter(context: StoreContext): RegistryWriter {
  const { root, findings, staging } = context;
  return {
    async models(source, target) {
      const id = originId(target.origin);
      const wanted = registeredModel.parse(target.remap({ id }));
      const of: FoundObject = { kind: source.of.kind, id, name: wanted.name };
      const directory = join(registryOf(root), mustBeName(wanted.name));
      const nothing = { id: wanted.name, artifacts: 0, bytes: 0 };
      if (!(await isDirectory(directory))) {
        await staging.placeDirectory(directory, (temporary) =>
          writeEntry(context, temporary, directory, of, wanted.tags, target, registeredModelMeta(wanted)),
        );
        return { ...nothing, outcome: 'created' };
      }
      const origin = await readTag(directory, ORIGIN_TAG);
      if (origin === target.origin) {
        const changed = await grow(context, directory, of, wanted, target, registeredModelMeta(wanted));
        return { ...nothing, outcome: changed ? 'updated' : 'unchanged' };
      }
      findings.loss({
        code: 'VALUE_CONFLICT',
        of,
        detail: 'the target has a registered model of this name, which keeps its own description and tags',
      });
      return { ...nothing, outcome: 'unchanged' };
    },
    versions: (source, target) => writeVersion(context, source, target),
  };
}

/** MLflow takes no other name for a directory (mlflow/store/model_registry/file_store.py). */
export function mustBeName(name: string): string {
  if (/[/\\%\0]/.test(name) || name.startsWith('.') || Buffer.byteLength(name) > 255 || !name.isWellFormed())
    throw new MlferryError(
      'UNSUPPORTED',
      `A store cannot hold a registered model named ${JSON.stringify(name)}`,
    );
  return name;
}

async function writeVersion(
  context: StoreContext,
  source: ObjectReader,
  target: ObjectTarget,
): Promise<WrittenObject> {
  const { root, findings, staging } = context;
  const id = originId(target.origin);
  const whole = modelVersion.parse(target.remap({ id }));
  const of: FoundObject = { kind: source.of.kind, id, name: whole.name };
  const parent = join(registryOf(root), mustBeName(whole.name));
  const directory = join(parent, versionDirectory(whole.version));
  const there = await isDirectory(directory);
  const origin = there ? await readTag(directory, ORIGIN_TAG) : undefined;
  if (there && origin !== target.origin) {
    const message = `Version ${whole.version} of registered model ${JSON.stringify(whole.name)} is there already, and is another one`;
    throw new MlferryError('REFUSED', message, {
      hint: `Copy it under another name with --rename-model ${JSON.stringify(`${whole.name}=other name`)}, or delete the one on the target.`,
    });
  }
  if (there && (await readTag(directory, DIGEST_TAG)) === target.digest)
    return { id, outcome: 'unchanged', artifacts: 0, bytes: 0 };
  const found = await findLocation(root, whole);
  // A run or model that came without its files has nothing there.
  const isThere = found?.directory === undefined || (await isDirectory(found.directory));
  const location = found !== undefined && (isThere || !(await hasFiles(source))) ? found.uri : undefined;
  const hasNoted = notedSince(findings, id);
  /** Files that nothing else in the store has, and the version with the source that then leads to them. */
  const fill = async (own: string) => {
    const files = { artifacts: 0, bytes: 0, notCarried: 0 };
    if (location === undefined) {
      const job = {
        context,
        source,
        note: (loss: Parameters<typeof findings.loss>[0]) => findings.loss({ ...loss, of }),
        fail: (_path: string, error: MlferryError) => {
          throw error;
        },
      };
      Object.assign(files, await writeArtifacts(job, join(own, 'artifacts'), async () => false));
    }
    const version: ModelVersion =
      location === undefined && files.artifacts > 0
        ? { ...whole, source: `${fileUri(ownFilesOf(root, whole))}` }
        : location !== undefined && whole.source.startsWith('runs:')
          ? { ...whole, source: location }
          : whole;
    // Without files it is not complete: a copy from where they are brings them.
    const digest = files.notCarried > 0 || hasNoted() ? undefined : target.digest;
    return {
      version,
      files,
      marks: { origin: target.origin, digest },
      meta: modelVersionMeta(version, location ?? version.source),
    };
  };
  const write = async () => {
    if (!there)
      return staging.placeDirectory(directory, async (temporary) => {
        const filled = await fill(temporary ?? directory);
        await writeEntry(context, temporary, directory, of, filled.version.tags, filled.marks, filled.meta);
        return filled;
      });
    const filled = await fill(directory);
    await grow(context, directory, of, filled.version, filled.marks, filled.meta);
    return filled;
  };
  const { version, files } = await write();
  for (const alias of version.aliases) await placeAlias(context, parent, alias, version, target, of);
  return { id, outcome: there ? 'updated' : 'created', artifacts: files.artifacts, bytes: files.bytes };
}

/** MLflow's aliases (mlflow/utils/validation.py): one is the name of a file. */
const ALIAS = /^[\w-]{1,255}$/;

/** Points an alias to a version; from another version only where that is a copy of the same source's. */
async function placeAlias(
  { findings, staging }: StoreContext,
  parent: string,
  alias: string,
  { version }: ModelVersion,
  { origin }: ObjectTarget,
  of: FoundObject,
): Promise<void> {
  if (!ALIAS.test(alias)) {
    const detail = 'a store cannot hold an alias of this name: it is left out';
    findings.loss({ code: 'KEY_NOT_ALLOWED', left_behind: true, of, key: `alias ${alias}`, detail });
    return;
  }
  const path = join(parent, 'aliases', alias);
  const other = (await sizeOfFile(path)) === undefined ? undefined : (await readFile(path, 'utf8')).trim();
  if (other === version) return;
  const holder = other === undefined ? undefined : join(parent, versionDirectory(other));
  const theirs = holder === undefined ? undefined : ((await readTag(holder, ORIGIN_TAG)) ?? '');
  if (theirs === undefined || sourceOf(theirs) === sourceOf(origin)) {
    await staging.replaceFile(path, version);
    return;
  }
  const detail = `on the target the alias is that of version ${other}, and stays so`;
  findings.loss({ code: 'VALUE_CONFLICT', of, key: `alias ${alias}`, detail });
}

/** The origin of a version without its number: all versions of one registered model have the same. */
const sourceOf = (origin: string) => origin.slice(0, origin.lastIndexOf('/'));

/** The URI and directory of the files that a version's source names in this store; `undefined` when nothing here has them. */
async function findLocation(
  root: string,
  { source }: ModelVersion,
): Promise<{ readonly uri: string; readonly directory?: string } | undefined> {
  const [, kind, id = '', path = ''] = /^(runs|models):\/+([\w-]+)(?:\/(.*))?$/.exec(source) ?? [];
  if (/^models:\/+(?!m-)/.test(source)) return { uri: source };
  if (kind === undefined) return undefined;
  for (const { name, path: experiment } of await listExperimentDirs(root, true)) {
    const below = kind === 'models' ? join(MODELS, id) : id;
    if (!(await isDirectory(join(experiment, below)))) continue;
    const uri = `${fileUri(root)}/${name}/${below}/artifacts`;
    const directory = join(experiment, below, 'artifacts', ...path.split('/'));
    return { uri: path === '' ? uri : `${uri}/${path}`, directory };
  }
  return undefined;
}

/** mlferry's own tags of a copy. `digest`: of one that is complete. */
type Marks = Pick<ObjectTarget, 'origin'> & { readonly digest: string | undefined };

/** The tags of a record with mlferry's own, as far as files can hold them. */
function tagsOf(
  { findings }: StoreContext,
  directory: string,
  of: FoundObject,
  tags: StringMap,
  { origin, digest }: Marks,
): (readonly [string, string])[] {
  const all = Object.entries({
    ...withoutBookkeeping(tags),
    [ORIGIN_TAG]: origin,
    ...(digest === undefined ? {} : { [DIGEST_TAG]: digest }),
  });
  const lossOf = createTagCheck(directory, []);
  return all
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .filter(([key, value]) => {
      const loss = lossOf(key, value);
      if (loss !== undefined) findings.loss({ ...loss, of });
      return loss === undefined;
    });
}

/** Writes the tags and `meta.yaml` of what is to stand at `directory`; in a dry run its losses are told only. */
async function writeEntry(
  context: StoreContext,
  temporary: string | undefined,
  directory: string,
  of: FoundObject,
  tags: StringMap,
  target: Marks,
  meta: Parameters<typeof formatMetaYaml>[0],
): Promise<void> {
  const held = tagsOf(context, directory, of, tags, target);
  if (temporary === undefined) return;
  writeFiles(join(temporary, 'tags'), held);
  writeFiles(temporary, [[META_FILE, formatMetaYaml(meta)]]);
}

/** Brings a directory to what the source has; the digest comes last, where all files have come. Whether anything changed. */
async function grow(
  context: StoreContext,
  directory: string,
  of: FoundObject,
  record: RegisteredModel | ModelVersion,
  target: Marks,
  meta: Parameters<typeof formatMetaYaml>[0],
): Promise<boolean> {
  const { staging } = context;
  const present = new Map(await readTexts(join(directory, 'tags'), 'tag', []));
  if (target.digest !== undefined && present.get(DIGEST_TAG) === target.digest) return false;
  const held = tagsOf(context, directory, of, record.tags, target);
  await staging.replaceFile(join(directory, META_FILE), formatMetaYaml(meta));
  for (const [key, value] of held.filter(([tag]) => tag !== DIGEST_TAG))
    if (present.get(key) !== value) await staging.replaceFile(join(directory, 'tags', key), value);
  if (target.digest !== undefined)
    await staging.replaceFile(join(directory, 'tags', DIGEST_TAG), target.digest);
  return true;
}
