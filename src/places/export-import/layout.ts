import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The files of an export. mlflow-export-import has never said which generation of its format a directory has, and its commands
 * nest the same files in different ways; so objects are known by the names of their files, wherever these stand.
 */
const OBJECT_FILES = {
  'experiment.json': 'experiment',
  'run.json': 'run',
  'logged_model.json': 'logged model',
  'model.json': 'registered model',
  'version.json': 'model version',
  // Until June 2023.
  'model_version.json': 'model version',
  'trace.json': 'trace',
  'prompt.json': 'prompt',
  'evaluation_dataset.json': 'evaluation dataset',
} as const;

/** Files that list what a command has exported. The first two are an experiment's and the registry's until December 2022. */
const INDEX_FILES = [
  'manifest.json',
  'models_manifest.json',
  'experiments.json',
  'models.json',
  'logged_models.json',
  'traces.json',
  'prompts_summary.json',
  'evaluation_datasets_summary.json',
];

/** What a file of an export is about: an object, or a list of some. */
export type ExportPart = (typeof OBJECT_FILES)[keyof typeof OBJECT_FILES] | 'index';

/** What a file of this name is; `undefined` when it is none of an export. */
export function partOf(name: string): ExportPart | undefined {
  for (const [file, part] of Object.entries(OBJECT_FILES)) if (file === name) return part;
  return INDEX_FILES.includes(name) ? 'index' : undefined;
}

/** The files of a run, logged model or trace stand here, beside its JSON file. */
export const ARTIFACTS = 'artifacts';

/** Directories with bytes of an object, where one stands beside them; nothing in them is a file of the export. */
export const BYTES = [ARTIFACTS, 'version_model', 'version_models', 'mlflow_model'];

/** Folders of the export of a whole server or experiment. */
const FOLDERS = [
  'experiments',
  'models',
  'runs',
  'logged_models',
  'traces',
  'prompts',
  'evaluation_datasets',
];

/** Folders of single objects, where the file that lists them is not there: an export that was broken off. */
const OBJECT_FOLDER = /^(?:[0-9a-f]{32}|m-[0-9a-f]{32}|tr-[0-9a-f]{32})$/;

/** Stands near the beginning of each file, or tells a run of 2020. */
const MARK = /"(?:export_info|mlflow_tracking_uri|run_uuid)"\s*:/;
const LOOKED_AT = 2 ** 20;
const MOST_FOLDERS = 20;

/** Whether a directory was written by mlflow-export-import: it, or a folder that such a directory has, holds one of its files. */
export function isExport(directory: string): boolean {
  const entries = entriesOf(directory);
  if (entries === undefined) return false;
  const { files, folders } = entries;
  if (files.some((name) => partOf(name) !== undefined && hasMark(join(directory, name)))) return true;
  return folders
    .filter((name) => FOLDERS.includes(name) || OBJECT_FOLDER.test(name))
    .slice(0, MOST_FOLDERS)
    .some((name) => holdsObjects(join(directory, name), FOLDERS.includes(name)));
}

function holdsObjects(directory: string, goesOn: boolean): boolean {
  const entries = entriesOf(directory);
  if (entries === undefined) return false;
  const { files, folders } = entries;
  if (files.some((name) => partOf(name) !== undefined && hasMark(join(directory, name)))) return true;
  return goesOn && folders.slice(0, MOST_FOLDERS).some((name) => holdsObjects(join(directory, name), false));
}

function entriesOf(directory: string) {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    const names = (kind: 'isFile' | 'isDirectory') =>
      entries.filter((entry) => entry[kind]()).map(({ name }) => name);
    return { files: names('isFile'), folders: names('isDirectory').sort() };
  } catch {
    // Not there, or no directory: another kind of place says so.
    return undefined;
  }
}

function hasMark(path: string): boolean {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    // By its name it is one; that it cannot be read is told when it is read.
    return true;
  }
  try {
    const size = Math.min(LOOKED_AT, statSync(path).size);
    const bytes = Buffer.alloc(size);
    return MARK.test(bytes.subarray(0, readSync(file, bytes)).toString('utf8'));
  } finally {
    closeSync(file);
  }
}
