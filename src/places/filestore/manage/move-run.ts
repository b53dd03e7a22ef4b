import { cp, mkdir, realpath, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { createIdMap } from '../../../kinds/id-map.ts';
import { remapModelFile } from '../../../kinds/model-files.ts';
import { MODEL } from '../../../kinds/model-links.ts';
import { replaceRoot } from '../../../kinds/remap.ts';
import { ARTIFACT_LOCATION_TAG } from '../../../model/mlflow/trace-fields.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { syncDirectory } from '../../../util/sync-directory.ts';
import { datasetsOf, readDataset } from '../layout/dataset-files.ts';
import { editMetaYaml, type MetaEdit } from '../layout/edit-meta-yaml.ts';
import { listKeyFiles } from '../layout/key-paths.ts';
import { isDirectory, META_FILE } from '../layout/layout.ts';
import { toModelMeta, toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import type { Staging } from '../layout/staging.ts';
import { readTextFile } from '../layout/text-file.ts';
import { TRACE_FILE, TRACES } from '../layout/trace-files.ts';
import { MODELS } from '../read/logged-models.ts';

/** What a move of a run consists of. It stands on the disk while it is carried out, so that it can be finished. */
export const runMove = z.strictObject({
  run_id: z.string().min(1),
  /** Ids of experiments. */
  from: z.string().min(1),
  to: z.string().min(1),
  /** The logged models that the run made and its traces, which go along. */
  models: z.array(z.string()),
  traces: z.array(z.string()),
  /** Artifact roots that change with it. */
  roots: z.array(z.tuple([z.string(), z.string()])),
});
export type RunMove = z.infer<typeof runMove>;

/** The directories of the two experiments. */
export interface MoveDirectories {
  readonly from: string;
  readonly to: string;
}

/** The directories of a move, relative to those of the experiments; the run's is the first: with it the run has moved. */
const partsOf = ({ run_id, models, traces }: RunMove): readonly string[] => [
  run_id,
  ...models.map((id) => join(MODELS, id)),
  ...traces.map((id) => join(TRACES, id)),
];

/** What moving a run will do. Nothing is changed. Throws SOURCE_ITEM for a run that is damaged. */
export async function drawMove(
  move: Pick<RunMove, 'run_id' | 'from' | 'to' | 'models' | 'traces'>,
  directories: MoveDirectories,
): Promise<RunMove> {
  const roots: RunMove['roots'] = [];
  for (const part of partsOf({ ...move, roots })) {
    const directory = join(directories.from, part);
    const uri = await artifactUri(directory);
    const moved = uri === undefined ? undefined : await movedRoot(uri, directory, part, move);
    if (uri !== undefined && moved !== undefined) roots.push([uri, moved]);
  }
  return { ...move, roots };
}

/** The artifact root that a run, logged model or trace names. */
async function artifactUri(directory: string): Promise<string | undefined> {
  const path = join(directory, META_FILE);
  if (dirname(directory).endsWith(`/${TRACES}`)) return traceRoot(directory);
  const meta = await readMetaYaml(path);
  return dirname(directory).endsWith(`/${MODELS}`)
    ? toModelMeta(meta, path).artifact_uri
    : toRunMeta(meta, path).artifact_uri;
}

async function traceRoot(directory: string): Promise<string | undefined> {
  return readTextFile(join(directory, 'tags', ARTIFACT_LOCATION_TAG)).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
}

/** The root after the move; `undefined` where it stays: of files that are not in the directory that is moved. */
async function movedRoot(
  uri: string,
  directory: string,
  part: string,
  { from, to }: Pick<RunMove, 'from' | 'to'>,
): Promise<string | undefined> {
  const end = `/${from}/${part}/artifacts`;
  const whole = uri.replace(/\/+$/, '');
  const path = whole.startsWith('file:')
    ? pathOf(whole)
    : /^[a-z][a-z0-9+.-]+:/i.test(whole)
      ? undefined
      : whole;
  if (path === undefined || !whole.endsWith(end)) return undefined;
  const there = await realpath(path).catch(() => undefined);
  const own = await realpath(join(directory, 'artifacts')).catch(() => undefined);
  // A store that was moved, or that is seen from another machine, names a directory that is not here.
  if (there !== undefined && there !== own) return undefined;
  return `${whole.slice(0, -end.length)}/${to}/${part}/artifacts`;
}

function pathOf(uri: string): string | undefined {
  try {
    return fileURLToPath(uri);
  } catch {
    return undefined;
  }
}

/** Copies the datasets that the run read into the other experiment. Throws REFUSED when that has others of their ids. */
export async function placeDatasets(
  staging: Staging,
  runDir: string,
  { from, to }: MoveDirectories,
): Promise<void> {
  for (const id of await datasetsOf(runDir)) {
    const [source, target] = [join(from, 'datasets', id), join(to, 'datasets', id)];
    if (!(await isDirectory(source))) continue;
    if (!(await isDirectory(target))) {
      await staging.placeDirectory(target, async (temporary) => {
        if (temporary !== undefined) await cp(source, temporary, { recursive: true });
      });
      continue;
    }
    const dataset = await readDataset(source);
    if (isDeepStrictEqual(dataset, await readDataset(target))) continue;
    throw new MlferryError(
      'REFUSED',
      `The run read a dataset "${dataset.name}" (${dataset.digest}), and the other experiment has another one of this name and digest`,
      { hint: 'A directory holds one of them in an experiment: choose another experiment.' },
    );
  }
}

/**
 * Moves what is not moved yet, and has everything say where it is now. May be called again after it was cut off at any point.
 * `registry`: the files of registered models' versions.
 */
export async function carryOutMove(
  staging: Staging,
  move: RunMove,
  { from, to }: MoveDirectories,
  registry: readonly string[],
): Promise<void> {
  for (const part of partsOf(move)) {
    const [source, target] = [join(from, part), join(to, part)];
    if (await isDirectory(source)) {
      await mkdir(dirname(target), { recursive: true });
      await rename(source, target);
      await syncDirectory(dirname(target));
      await syncDirectory(dirname(source));
    }
    await settle(staging, move, target, part);
  }
  for (const path of registry) await rewrite(staging, path, (text) => relocated(text, move));
}

/** Has a moved directory say which experiment it is in and where its files are. */
async function settle(staging: Staging, move: RunMove, directory: string, part: string): Promise<void> {
  if (!(await isDirectory(directory))) return;
  const isTrace = part.startsWith(`${TRACES}/`);
  const path = join(directory, isTrace ? TRACE_FILE : META_FILE);
  const uri = await artifactUri(directory);
  const root = move.roots.find(([before]) => before === uri)?.[1];
  const edits: MetaEdit[] = isTrace
    ? [
        [['experiment_id'], move.to],
        [['trace_location', 'mlflow_experiment', 'experiment_id'], move.to],
      ]
    : [
        [['experiment_id'], move.to],
        ...(root === undefined
          ? []
          : [[['artifact_uri'], root] as const, [['artifact_location'], root] as const]),
      ];
  await rewrite(staging, path, (text) => editMetaYaml(text, path, edits));
  for (const file of await listKeyFiles(join(directory, 'tags')))
    if (file.problem === undefined) await rewrite(staging, file.path, (text) => relocated(text, move));
  if (part.startsWith(`${MODELS}/`)) await settleModelFile(staging, move, directory);
}

/** The `MLmodel` file of a logged model names the root of its files. */
async function settleModelFile(
  staging: Staging,
  { models, roots }: RunMove,
  directory: string,
): Promise<void> {
  const id = models.find((model) => directory.endsWith(`/${model}`)) ?? '';
  for (const [before, after] of roots)
    if (before.includes(`/${id}/`))
      await rewrite(staging, join(directory, 'artifacts', 'MLmodel'), (text) =>
        remapModelFile(
          text,
          { kind: MODEL, id, artifact_uri: before },
          { kind: MODEL, id, artifact_uri: after },
          createIdMap(),
        ),
      );
}

function relocated(text: string, { roots }: RunMove): string {
  return roots.reduce((done, [before, after]) => replaceRoot(done, before, after), text);
}

/** Replaces a UTF-8 file by what `change` makes of it, if that is something else; none that is not there. */
async function rewrite(staging: Staging, path: string, change: (text: string) => string): Promise<void> {
  let text: string | undefined;
  try {
    text = await readTextFile(path);
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  if (text === undefined) return;
  const changed = change(text);
  if (changed !== text) await staging.replaceFile(path, changed);
}
