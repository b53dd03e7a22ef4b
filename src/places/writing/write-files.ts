import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { localPathProblem } from '../../artifacts/local/names.ts';
import { sizeOfFile } from '../../artifacts/local/put-file.ts';
import { createFileListDigest, type FileList } from '../../model/file-list.ts';
import type { RunLoss } from '../../model/fit-run.ts';
import { OVERSIZE_FILE } from '../../model/own-files.ts';
import { endsJob } from '../../util/ends-job.ts';
import { asMlferryError, type MlferryError } from '../../util/errors.ts';
import type { ArtifactEntry, ArtifactOwner } from '../artifact-owner.ts';
import type { PlaceTraits } from '../traits.ts';
import { type ArtifactOutcome, writeArtifact } from './write-artifact.ts';

/** Files on their way into a directory of this machine. */
export interface FilesToWrite {
  readonly source: ArtifactOwner;
  readonly sourceTraits: PlaceTraits;
  /** A new path on the file system of the target, where a file is written before it gets its place; `undefined` in a dry run. */
  newPath(): Promise<string | undefined>;
  note(loss: RunLoss): void;
  /** A file that could not be written: the others are. */
  fail(path: string, error: MlferryError): void;
}

/** Counts of artifacts written. */
export interface ArtifactCounts {
  readonly artifacts: number;
  readonly bytes: number;
  /** The source itself has an artifact of the name {@link OVERSIZE_FILE}. */
  readonly hasOversize: boolean;
  /** Files that could not be written, or that an archive or stream names without their bytes, each reported. */
  readonly failed: number;
  /** Files that the source lists and does not give, each reported. */
  readonly notCarried: number;
  /** The list of the source's files, where there are any. */
  readonly list: FileList | undefined;
}

/**
 * Writes the source's artifacts that `isThere` does not find, below `directory`. In a dry run they are only counted. What
 * keeps one file from being written costs that file; throws what ends the job.
 */
export async function writeFilesOf(
  { source, sourceTraits, newPath, note, fail }: FilesToWrite,
  directory: string,
  isThere: (entry: ArtifactEntry) => Promise<boolean>,
): Promise<ArtifactCounts> {
  let artifacts = 0;
  let bytes = 0;
  let hasOversize = false;
  let failed = 0;
  let notCarried = 0;
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
    const temporary = await newPath();
    if (temporary === undefined) {
      if (!(await isCarried(sourceTraits, source, entry))) {
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
    if (outcome.code !== 'ARTIFACTS_NOT_CARRIED') continue;
    notCarried += 1;
    if (sourceTraits.fileBytes === 'where hashed') failed += 1;
  }
  return { artifacts, bytes, hasOversize, failed, notCarried, list: listed.list() };
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
  sourceTraits: PlaceTraits,
  source: ArtifactOwner,
  entry: ArtifactEntry,
): Promise<boolean> {
  if (sourceTraits.fileBytes !== 'where hashed') return true;
  const body = await source.open(entry);
  body?.destroy();
  return body !== undefined;
}
