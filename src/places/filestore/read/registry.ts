import { isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isNormalized } from '../../../artifacts/artifact-path.ts';
import { directoryInside } from '../../../artifacts/local/directory-inside.ts';
import { kindOf } from '../../../kinds/kinds.ts';
import { bringsFiles, isMadeOfChosen, wantsWholeRegistry } from '../../../kinds/model-registry.ts';
import { locate } from '../../../kinds/remap-object.ts';
import { type ModelVersion, modelVersion, type RegisteredModel } from '../../../model/registered-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import { type ArtifactOwner, NO_FILES } from '../../artifact-owner.ts';
import type { ObjectReader, ObjectScope, ObjectSource } from '../../objects.ts';
import { filesAt, type Home, homeBelow } from '../../reading/files-at.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { isDirectory, listDirectories, listExperimentDirs, META_FILE } from '../layout/layout.ts';
import { toModelMeta, toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { DELETED_STAGE, registryOf, toModelVersion, toRegisteredModel } from '../layout/registry-files.ts';
import { readKeyFile } from '../layout/text-file.ts';
import { representVersion } from '../write/fit-version.ts';
import { createDamage, type Damage } from './damage.ts';
import type { ArtifactLocator } from './locate-artifacts.ts';
import { MODELS } from './logged-models.ts';
import { type RunLoss, readTexts } from './read-run.ts';
import type { StoreFindings } from './store-findings.ts';

/** The kinds of the model registry of the store at `root`. */
export function registry(
  root: string,
  locate: ArtifactLocator,
  findings: StoreFindings,
): ReadonlyArray<[string, ObjectSource]> {
  return [
    ['registered_model', registeredModels(root, findings)],
    ['model_version', modelVersions(root, locate, findings)],
  ];
}

function registeredModels(root: string, { note, fail, damaged, strict }: StoreFindings): ObjectSource {
  const of = kindOf('registered_model');
  return {
    async *read(scope) {
      const { selection } = scope;
      const whole = wantsWholeRegistry(selection);
      for (const name of await namesIn(root)) {
        const directory = join(registryOf(root), name);
        try {
          const path = join(directory, META_FILE);
          const losses: RunLoss[] = [];
          const damage = createDamage(strict);
          const record: RegisteredModel = {
            ...toRegisteredModel(await readMetaYaml(path), path),
            tags: Object.fromEntries(await readTexts(join(directory, 'tags'), 'tag', losses, damage)),
          };
          if (!whole && !(await hasChosen(directory, scope))) continue;
          note(losses, { of: { kind: of.kind, id: record.name } });
          damaged(objectOf(name), damage.told);
          yield { of, record, ...NO_FILES, ...(whole ? {} : { belongs: true }) };
        } catch (error) {
          fail(objectOf(name), error);
        }
      }
    },
  };
}

const objectOf = (name: string) => `registered model "${name}"`;

async function namesIn(root: string): Promise<string[]> {
  return (await listDirectories(registryOf(root))).filter((name) => !name.startsWith('.'));
}

/** Whether a version was made from what is chosen. What cannot be read is told when it is its turn. */
async function hasChosen(directory: string, { isChosen }: ObjectScope): Promise<boolean> {
  for (const path of await versionDirs(directory)) {
    const version = await loadVersion(path, new Map(), [], createDamage(false)).catch(() => undefined);
    if (version !== undefined && isMadeOfChosen(version, isChosen)) return true;
  }
  return false;
}

async function versionDirs(directory: string): Promise<string[]> {
  const number = (name: string) => Number(name.slice(name.indexOf('-') + 1));
  const names = (await listDirectories(directory)).filter((name) => /^version-\d+$/.test(name));
  return names.sort((a, b) => number(a) - number(b)).map((name) => join(directory, name));
}

async function loadVersion(
  directory: string,
  aliases: ReadonlyMap<string, readonly string[]>,
  losses: RunLoss[],
  damage: Damage,
): Promise<ModelVersion> {
  const path = join(directory, META_FILE);
  const meta = toModelVersion(await readMetaYaml(path), path);
  if (!directory.endsWith(`-${meta.version}`))
    throw new MlferryError('SOURCE_ITEM', `${path} says version "${meta.version}"`);
  return {
    ...meta,
    aliases: [...(aliases.get(meta.version) ?? [])],
    tags: Object.fromEntries(await readTexts(join(directory, 'tags'), 'tag', losses, damage)),
  };
}

/** The aliases of a registered model by version. Throws SOURCE_ITEM, or a system error, for one that `damage` does not take. */
async function readAliases(directory: string, damage: Damage): Promise<Map<string, string[]>> {
  const aliases = new Map<string, string[]>();
  for (const file of await listKeyFiles(join(directory, 'aliases'))) {
    const version = (await damage.tolerate(file.path, () => readKeyFile(file)))?.trim();
    if (version !== undefined) aliases.set(version, [...(aliases.get(version) ?? []), file.key].sort());
  }
  return aliases;
}

function modelVersions(
  root: string,
  locateArtifacts: ArtifactLocator,
  { note, fail, damaged, strict }: StoreFindings,
): ObjectSource {
  const of = kindOf('model_version');
  const reader = (record: ModelVersion, { isHeld }: ObjectScope): ObjectReader => {
    const id = `${record.name}/${record.version}`;
    const own = bringsFiles(record, isHeld);
    return {
      of,
      record,
      ...(own
        ? versionFiles(root, locateArtifacts, record, (loss) => note([loss], { of: { kind: of.kind, id } }))
        : NO_FILES),
    };
  };
  return {
    represent: (wanted, present) =>
      representVersion(root, modelVersion.parse(wanted), modelVersion.parse(present)),
    async *read(scope) {
      for (const name of await namesIn(root)) {
        const directory = join(registryOf(root), name);
        const ofAliases = createDamage(false);
        const aliases = await readAliases(directory, ofAliases);
        damaged(objectOf(name), ofAliases.told);
        for (const path of await versionDirs(directory)) {
          try {
            const losses: RunLoss[] = [];
            const damage = createDamage(strict);
            const version = await loadVersion(path, aliases, losses, damage);
            if (version.current_stage === DELETED_STAGE) continue;
            const id = `${version.name}/${version.version}`;
            note(losses, { of: { kind: of.kind, id } });
            damaged(`model version ${id}`, damage.told);
            yield reader(version, scope);
          } catch (error) {
            fail(`model version in ${path}`, error);
          }
        }
      }
    },
  };
}

/** The files at a version's source, if that is a run's or model's of this store, or lies in it. */
function versionFiles(
  root: string,
  locateArtifacts: ArtifactLocator,
  version: ModelVersion,
  note: (loss: RunLoss) => void,
): ArtifactOwner {
  let home: Promise<Home | undefined> | undefined;
  return filesAt(async () => {
    home ??= findFiles(root, locateArtifacts, version.source);
    const found = await home;
    if (found !== undefined) return found;
    const detail = `The files are at ${version.source}, which is not in this store`;
    return { loss: { code: 'ARTIFACTS_UNREACHABLE', detail } };
  }, note);
}

async function findFiles(
  root: string,
  locateArtifacts: ArtifactLocator,
  source: string,
): Promise<Home | undefined> {
  const located = locate(source, () => true);
  const [, model_id] = /^models:\/+(m-[\w-]+)/.exec(located) ?? [];
  const [, run_id, path = ''] = /^runs:\/+([\w-]+)\/?(.*)$/.exec(located) ?? [];
  const id = model_id ?? run_id;
  if (id === undefined) return insideOrNone(root, pathOf(source));
  for (const { path: experiment } of await listExperimentDirs(root, true)) {
    const directory = model_id === undefined ? join(experiment, id) : join(experiment, MODELS, id);
    if (!(await isDirectory(directory))) continue;
    const file = join(directory, META_FILE);
    const meta = await readMetaYaml(file);
    const { artifact_uri } = model_id === undefined ? toRunMeta(meta, file) : toModelMeta(meta, file);
    const { path: home, away, store } = await locateArtifacts({ id, directory, artifact_uri });
    if (store !== undefined) return isPlain(path) ? homeBelow({ store }, path) : undefined;
    return away ? undefined : insideOrNone(home, join(home, path));
  }
  return insideOrNone(root, pathOf(source));
}

async function insideOrNone(root: string, path: string | undefined): Promise<Home | undefined> {
  const found = path === undefined ? undefined : await directoryInside(root, path);
  return found === undefined ? undefined : { path: found };
}

const isPlain = (path: string) => path === '' || isNormalized(path);

/** The path that a source names; `undefined` for a URI of anything but a file of this machine. */
function pathOf(source: string): string | undefined {
  try {
    return source.startsWith('file:') ? fileURLToPath(source) : isAbsolute(source) ? source : undefined;
  } catch {
    return undefined;
  }
}
