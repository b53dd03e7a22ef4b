import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { directoryInside } from '../../artifacts/local/directory-inside.ts';
import { kindOf } from '../../kinds/kinds.ts';
import { bringsFiles, isMadeOfChosen, wantsWholeRegistry } from '../../kinds/model-registry.ts';
import { locate } from '../../kinds/remap-object.ts';
import { type ArtifactOwner, NO_FILES } from '../artifact-owner.ts';
import type { ObjectSource } from '../objects.ts';
import { filesAt } from '../reading/files-at.ts';
import { ARTIFACTS } from './layout.ts';
import type { Notes } from './notes.ts';
import type { RegisteredContents } from './registry-contents.ts';
import type { ExportedVersion } from './registry-files.ts';

/** Where the files of a run or logged model stand, by its id. */
export type FindOwner = (kind: 'run' | 'logged_model', id: string) => string | undefined;

/** The model registry of an export: registered models, prompts, and their versions. */
export function registry(
  contents: () => readonly RegisteredContents[],
  findOwner: FindOwner,
  notes: Notes,
): ReadonlyArray<[string, ObjectSource]> {
  const ofModel = kindOf('registered_model');
  const ofVersion = kindOf('model_version');
  return [
    [
      ofModel.kind,
      {
        async *read({ selection, isChosen }) {
          const whole = wantsWholeRegistry(selection);
          for (const { model, versions } of contents()) {
            if (!whole && !versions.some(({ record }) => isMadeOfChosen(record, isChosen))) continue;
            yield { of: ofModel, record: model, ...NO_FILES, ...(whole ? {} : { belongs: true }) };
          }
        },
      },
    ],
    [
      ofVersion.kind,
      {
        async *read({ isHeld }) {
          for (const { versions } of contents()) {
            for (const version of versions) {
              const own = bringsFiles(version.record, isHeld);
              const files = own ? versionFiles(version, findOwner, notes) : NO_FILES;
              yield { of: ofVersion, record: version.record, ...files };
            }
          }
        },
      },
    ],
  ];
}

function versionFiles(version: ExportedVersion, findOwner: FindOwner, notes: Notes): ArtifactOwner {
  const { name, version: number, source } = version.record;
  let home: Promise<string | undefined> | undefined;
  return filesAt(
    async () => {
      home ??= homeOf(version, findOwner);
      const path = await home;
      if (path !== undefined) return { path };
      const detail = `The files are at ${source}, which is not in the export`;
      return { loss: { code: 'ARTIFACTS_UNREACHABLE', detail } };
    },
    (loss) => notes.loss({ ...loss, of: { kind: 'model_version', id: `${name}/${number}` } }),
  );
}

/** The directory with a version's files: a copy of its own, or those of its run or logged model. */
async function homeOf(
  { record, path, copied_to }: ExportedVersion,
  findOwner: FindOwner,
): Promise<string | undefined> {
  const beside = dirname(path);
  for (const own of [join('version_models', record.version), 'version_model', 'mlflow_model']) {
    const directory = await directoryInside(beside, join(beside, own));
    if (directory !== undefined) return withoutWrapper(directory);
  }
  const located = locate(record.source, () => true);
  const [, model_id] = /^models:\/+(m-[\w-]+)/.exec(located) ?? [];
  const [, source_run, within = ''] = /^runs:\/+([^/]+)\/?(.*)$/.exec(located) ?? [];
  const run_id = copied_to === undefined ? source_run : record.run_id;
  const owner =
    model_id === undefined ? run_id && findOwner('run', run_id) : findOwner('logged_model', model_id);
  if (!owner) return undefined;
  const files = await directoryInside(owner, join(owner, ARTIFACTS));
  if (files === undefined) return undefined;
  return directoryInside(files, join(files, copied_to ?? within));
}

/** Some versions of mlflow-export-import put the model into a folder of its name. */
async function withoutWrapper(directory: string): Promise<string> {
  const [only, ...others] = await readdir(directory, { withFileTypes: true });
  return only?.isDirectory() === true && others.length === 0 ? join(directory, only.name) : directory;
}
