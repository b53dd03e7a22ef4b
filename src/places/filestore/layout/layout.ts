import { createHash } from 'node:crypto';
import { readdir, realpath, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { readSmallFile } from '../../../util/regular-file.ts';
import { isSqlite } from '../../is-sqlite.ts';

/** Names of a FileStore directory (MLflow 0.x to 3.17, mlflow/store/tracking/file_store.py). */

/** The file that makes a directory an experiment, a run, a dataset or an input. */
export const META_FILE = 'meta.yaml';
/** Holds deleted experiments, moved whole. */
export const TRASH = '.trash';
/**
 * Where unfinished files stand until they are renamed into place. MLflow leaves every directory of the root out whose
 * name ends with `.trash`, so no version of it takes this one for an experiment.
 */
export const PARTIAL = '.mlferry-partial.trash';
/** A file in {@link PARTIAL} while a store that mlferry made has not got all that a new store gets. */
export const NEW_STORE = 'new-store';
/** Beginning of the names of files in {@link PARTIAL} that tell which run is being moved to another experiment. */
export const MOVE_NOTE = 'move-';
/** Directories beside the runs of an experiment that are no runs. */
export const RESERVED: ReadonlySet<string> = new Set(['tags', 'datasets', 'traces', 'models']);
/** Directory of the root that holds the model registry, no experiment. */
const REGISTRY = 'models';

/** A directory with an experiment's id as its name. */
export interface ExperimentDir {
  readonly name: string;
  readonly path: string;
  readonly inTrash: boolean;
}

/** Whether `path` is a directory (through symbolic links). */
export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

/** Names of the directories directly in `path`, sorted by code units; none when `path` is not there. */
export async function listDirectories(path: string): Promise<string[]> {
  const names: string[] = [];
  try {
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory() || (entry.isSymbolicLink() && (await isDirectory(join(path, entry.name))))) {
        names.push(entry.name);
      }
    }
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return names.sort();
}

/** The experiments' directories of a store, those in the trash after the others. */
export async function listExperimentDirs(root: string, trash: boolean): Promise<ExperimentDir[]> {
  const active = (await listDirectories(root)).filter((name) => !name.startsWith('.') && name !== REGISTRY);
  const deleted = trash
    ? (await listDirectories(join(root, TRASH))).filter((name) => !name.startsWith('.'))
    : [];
  return [
    ...active.map((name) => ({ name, path: join(root, name), inTrash: false })),
    ...deleted.map((name) => ({ name, path: join(root, TRASH, name), inTrash: true })),
  ];
}

/** Names of the directories of an experiment that are runs, or would be if they had a `meta.yaml`. */
export async function listRunDirs(experimentDir: string): Promise<string[]> {
  return (await listDirectories(experimentDir)).filter(
    (name) => !name.startsWith('.') && !RESERVED.has(name),
  );
}

async function readsLikeExperiment(directory: string): Promise<boolean> {
  try {
    return /^experiment_id:/m.test((await readSmallFile(join(directory, META_FILE))).toString());
  } catch (error) {
    if (isAbsent(error) || error instanceof MlferryError) return false;
    throw error;
  }
}

async function holdsExperiments(path: string): Promise<'yes' | 'maybe' | 'no'> {
  if (await readsLikeExperiment(path)) return 'no';
  const directories = await listExperimentDirs(path, true);
  for (const { path: directory } of directories) {
    if (await readsLikeExperiment(directory)) return 'yes';
  }
  const numeric = directories.some(({ name }) => /^\d+$/.test(name));
  return numeric || (await isDirectory(join(path, TRASH))) ? 'maybe' : 'no';
}

/**
 * The absolute path of the store that a user means by `path`: the directory itself, or its child `mlruns`.
 * `undefined` when there is none.
 */
export async function findStore(path: string): Promise<string | undefined> {
  const own = resolve(path);
  const child = join(own, 'mlruns');
  const itself = await holdsExperiments(own);
  if (itself === 'yes') return own;
  if ((await holdsExperiments(child)) !== 'no') return child;
  return itself === 'maybe' ? own : undefined;
}

/** The fingerprint of a store: 16 hex digits from the sha256 of its real absolute path. */
export async function fingerprintOf(root: string): Promise<string> {
  const path = await realpath(root).catch(() => root);
  return createHash('sha256').update(path).digest('hex').slice(0, 16);
}

/** MLflow 3 keeps runs in `mlflow.db` unless it is told otherwise, and only their artifacts in `mlruns`. */
async function mustHoldRecords(root: string): Promise<void> {
  for (const { path } of await listExperimentDirs(root, true)) if (await readsLikeExperiment(path)) return;
  const database = ['mlflow.db', 'mlruns.db']
    .flatMap((name) => [join(root, '..', name), join(root, name)])
    .find(isSqlite);
  if (database === undefined) return;
  throw new MlferryError(
    'LOCATION',
    `"${root}" holds artifacts only: its runs are in the database ${database}`,
    {
      hint: `Name that instead: ${database}.`,
    },
  );
}

/** The root of the store at a path, or in it. Throws LOCATION when there is none. */
export async function requireStore(path: string): Promise<string> {
  try {
    const root = await findStore(path);
    if (root !== undefined) {
      await mustHoldRecords(root);
      return root;
    }
  } catch (error) {
    if (error instanceof MlferryError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new MlferryError('LOCATION', `"${path}" cannot be read: ${reason}`, { cause: error });
  }
  const reason = (await isDirectory(path)) ? 'is no mlruns directory and contains none' : 'does not exist';
  throw new MlferryError('LOCATION', `"${path}" ${reason}`);
}
