import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { localPathProblem } from '../../../artifacts/local/names.ts';
import { placeFile, sizeOfFile } from '../../../artifacts/local/put-file.ts';
import { createFileListDigest, type FileList } from '../../../model/file-list.ts';
import { OVERSIZE_FILE } from '../../../model/own-files.ts';
import type { DatasetInput } from '../../../model/records.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { asMlferryError, isAbsent, systemCode } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { ArtifactEntry, ArtifactOwner } from '../../artifact-owner.ts';
import type { MetricPoints } from '../../place.ts';
import { datasetId, datasetMeta, inputId, inputMeta, readDataset } from '../layout/dataset-files.ts';
import { createKeySpace } from '../layout/key-paths.ts';
import { META_FILE } from '../layout/layout.ts';
import { formatMetaYaml } from '../layout/meta-yaml.ts';
import type { OversizeFile } from '../layout/oversize.ts';
import type { FilesJob, RunJob, StoreContext } from './run-context.ts';
import { type ArtifactOutcome, writeArtifact } from './write-artifact.ts';

/** Parts of a run that a new and a grown run have in common. */

/** Files written at once. */
const PARALLEL = 8;

/** Writes small files below a directory that MLflow does not see yet. */
export async function writeFiles(
  directory: string,
  files: Iterable<readonly [path: string, content: string]>,
): Promise<void> {
  const made = new Map<string, Promise<unknown>>();
  await mapConcurrent(files, PARALLEL, async ([name, content]) => {
    const path = join(directory, name);
    const parent = dirname(path);
    const making = made.get(parent) ?? mkdir(parent, { recursive: true });
    made.set(parent, making);
    await making;
    await writeFile(path, content);
  });
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
      if (temporary !== undefined) await writeFiles(temporary, [[META_FILE, wanted]]);
    });
  } catch (error) {
    const code = systemCode(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
    return same();
  }
  return true;
}

/** Counts of artifacts written. */
export interface ArtifactCounts {
  readonly artifacts: number;
  readonly bytes: number;
  /** The source itself has an artifact of the name {@link OVERSIZE_FILE}. */
  readonly hasOversize: boolean;
  /** Files that could not be written, or that an archive or stream names without their bytes, each reported. */
  readonly failed: number;
  /** The list of the source's files, where there are any. */
  readonly list: FileList | undefined;
}

/**
 * Writes the source's artifacts that `isThere` does not find, below `directory`. In a dry run they are only counted. What
 * keeps one file from being written costs that file; throws what ends the job.
 */
export async function writeArtifacts(
  { context, source, note, fail }: FilesJob,
  directory: string,
  isThere: (entry: ArtifactEntry) => Promise<boolean>,
): Promise<ArtifactCounts> {
  let artifacts = 0;
  let bytes = 0;
  let hasOversize = false;
  let failed = 0;
  const listed = createFileListDigest();
  for await (const entry of source.artifacts()) {
    listed.add(entry);
    hasOversize ||= entry.path === OVERSIZE_FILE;
    const problem = localPathProblem(entry.path);
    if (problem !== undefined) {
      note({
        code: 'ARTIFACT_NAME',
        left_behind: true,
        key: entry.path,
        detail: `the artifact is left out: ${problem}`,
      });
      continue;
    }
    if (await isThere(entry)) continue;
    const temporary = await context.staging.newPath();
    if (temporary === undefined) {
      if (!(await isCarried(context, source, entry))) {
        note({
          code: 'ARTIFACTS_NOT_CARRIED',
          key: entry.path,
          detail: 'the artifact is left out: the source does not hold its bytes',
        });
        continue;
      }
      artifacts += 1;
      bytes += entry.size ?? 0;
      continue;
    }
    let outcome: ArtifactOutcome;
    try {
      outcome = await writeArtifact(source, entry, directory, temporary);
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      failed += 1;
      fail(entry.path, known);
      continue;
    }
    if ('bytes' in outcome) {
      artifacts += 1;
      bytes += outcome.bytes;
      continue;
    }
    note({
      code: outcome.code,
      left_behind: true,
      key: entry.path,
      detail: `the artifact is left out: ${outcome.reason}`,
    });
    if (outcome.code === 'ARTIFACTS_NOT_CARRIED' && context.sourceTraits.fileBytes === 'where hashed')
      failed += 1;
  }
  return { artifacts, bytes, hasOversize, failed, list: listed.list() };
}

/** Tells of a file whether one of its size, and of its bytes where the source tells their hash, stands below `directory`. */
export function isThereIn(directory: string): (entry: ArtifactEntry) => Promise<boolean> {
  return async ({ path, size, sha256 }) => {
    const file = join(directory, ...path.split('/'));
    const present = await sizeOfFile(file);
    if (present === undefined || (size !== undefined && size !== present)) return false;
    if (sha256 === undefined) return true;
    const hash = createHash('sha256');
    await pipeline(createReadStream(file), hash);
    return hash.digest('hex') === sha256;
  };
}

/** Whether the source has the bytes of a file it lists; asked of those only that may have none, where it costs no request. */
async function isCarried(
  { sourceTraits }: StoreContext,
  source: ArtifactOwner,
  entry: ArtifactEntry,
): Promise<boolean> {
  if (sourceTraits.fileBytes !== 'where hashed') return true;
  const body = await source.open(entry);
  body?.destroy();
  return body !== undefined;
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
