import { mkdirSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { placeFile, sizeOfFile } from '../../../artifacts/local/put-file.ts';
import { OVERSIZE_FILE } from '../../../model/own-files.ts';
import type { DatasetInput } from '../../../model/records.ts';
import { isAbsent, systemCode } from '../../../util/errors.ts';
import type { ArtifactEntry } from '../../artifact-owner.ts';
import type { MetricPoints } from '../../place.ts';
import { type ArtifactCounts, writeFilesOf } from '../../writing/write-files.ts';
import { datasetId, datasetMeta, inputId, inputMeta, readDataset } from '../layout/dataset-files.ts';
import { createKeySpace } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import type { OversizeFile } from '../layout/oversize.ts';
import type { FilesJob, RunJob, StoreContext } from './run-context.ts';

/** Parts of a run that a new and a grown run have in common. */

/**
 * Writes small files below a directory that MLflow does not see yet, each at once: a run is many of them, and trips through
 * the thread pool cost several times what the files cost.
 */
export function writeFiles(
  directory: string,
  files: Iterable<readonly [path: string, content: string]>,
): void {
  const made = new Set<string>();
  for (const [name, content] of files) {
    const path = join(directory, name);
    const parent = dirname(path);
    if (!made.has(parent)) mkdirSync(parent, { recursive: true });
    made.add(parent);
    writeFileSync(path, content);
  }
}

/** Files of a run's inputs, relative to the run; their datasets are put into the experiment when they are not there. */
export async function placeInputs(
  job: RunJob,
  present: readonly DatasetInput[],
  oversize: OversizeFile,
): Promise<(readonly [path: string, content: string])[]> {
  const known = new Map(present.map((input) => [datasetId(input.dataset), input]));
  const files: (readonly [string, string])[] = [];
  for (const input of job.record.dataset_inputs) {
    const id = datasetId(input.dataset);
    const same = known.get(id);
    if (same !== undefined) {
      if (text(same) !== text(input))
        differs(job, input, oversize, 'the run has it already, with other tags or content');
      continue;
    }
    if (
      ![...Object.values(input.dataset), ...Object.entries(input.tags).flat()].every(
        (part) => part?.isWellFormed() ?? true,
      )
    ) {
      differs(job, input, oversize, 'it holds half a character, which no file can');
      continue;
    }
    known.set(id, input);
    if (!(await placeDataset(job.context, job.experimentDir, id, input.dataset))) {
      differs(
        job,
        input,
        oversize,
        'the experiment has one of this name and digest with other content, which was kept',
      );
    }
    files.push([
      join('inputs', inputId(id, job.record.run_id), META_FILE),
      formatMetaYaml(inputMeta(id, input.tags)),
    ]);
  }
  return files;
}

function differs(job: RunJob, input: DatasetInput, oversize: OversizeFile, reason: string): void {
  oversize.input(input);
  job.note({
    code: 'DATASET_DIFFERS',
    key: input.dataset.name,
    detail: `the dataset is in ${OVERSIZE_FILE}: ${reason}`,
  });
}

function text({ dataset, tags }: DatasetInput): string {
  return formatMetaYaml({ ...datasetMeta(dataset), tags });
}

/** Makes sure that the experiment has the dataset. False when it has another one of the same name and digest. */
async function placeDataset(
  { staging }: StoreContext,
  experimentDir: string,
  id: string,
  dataset: DatasetInput['dataset'],
): Promise<boolean> {
  const directory = join(experimentDir, 'datasets', id);
  const wanted = formatMetaYaml(datasetMeta(dataset));
  const same = async () => formatMetaYaml(datasetMeta(await readDataset(directory))) === wanted;
  try {
    return await same();
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  try {
    await staging.placeDirectory(directory, async (temporary) => {
      if (temporary !== undefined) writeFiles(temporary, [[META_FILE, wanted]]);
    });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    return same();
  }
  return true;
}

/** Writes the source's artifacts that `isThere` does not find, below `directory`; in a dry run they are only counted. */
export async function writeArtifacts(
  job: FilesJob,
  directory: string,
  isThere: (entry: ArtifactEntry) => Promise<boolean>,
): Promise<ArtifactCounts> {
  const { staging, sourceTraits } = job.context;
  return writeFilesOf({ ...job, sourceTraits, newPath: () => staging.newPath() }, directory, isThere);
}

/**
 * Puts the completed oversize file at `temporary` among the artifacts, beside the source's own one if it has one.
 * Counts 0 when it is there already.
 */
export async function placeOversize(
  directory: string,
  temporary: string | undefined,
  size: number,
  beside: boolean,
): Promise<Pick<ArtifactCounts, 'artifacts' | 'bytes'>> {
  const name = beside ? OVERSIZE_FILE.replace('.json', '.filestore.json') : OVERSIZE_FILE;
  const path = join(directory, name);
  const present = await sizeOfFile(path);
  if (
    temporary !== undefined &&
    present === size &&
    (await readFile(path)).equals(await readFile(temporary))
  ) {
    await rm(temporary);
    return { artifacts: 0, bytes: 0 };
  }
  if (temporary === undefined && present === size) return { artifacts: 0, bytes: 0 };
  if (temporary !== undefined) await placeFile(temporary, directory, name);
  return { artifacts: 1, bytes: size };
}

/** Sorts the points of a run's series: `take` gets those that can stand in a file, the rest goes to `oversize` and is noted. */
export async function splitSeries(
  { source, runDir, note }: RunJob,
  present: readonly string[],
  oversize: OversizeFile,
  take: (piece: MetricPoints) => Promise<void>,
): Promise<void> {
  const problemOf = createKeySpace(join(runDir, 'metrics'), present);
  const spilled = new Map<string, { problem: string; count: number }>();
  for await (const piece of source.metrics()) {
    const problem = problemOf(piece.key);
    if (problem === undefined) {
      await take(piece);
      continue;
    }
    const count = (spilled.get(piece.key)?.count ?? 0) + piece.points.length;
    spilled.set(piece.key, { problem, count });
    await oversize.points(piece.key, piece.points);
  }
  for (const [key, { problem, count }] of spilled) {
    note({
      code: 'KEY_NOT_ALLOWED',
      key,
      count,
      detail: `a store cannot hold a metric of this key: ${problem}; its points are in ${OVERSIZE_FILE}`,
    });
  }
}
