import { createWriteStream } from 'node:fs';
import { mkdir, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { artifactPathProblem } from '../../../artifacts/artifact-path.ts';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import type { ArtifactEntry, RunReader } from '../../place.ts';
import { isAbsent } from '../layout/layout.ts';

const MAX_SEGMENT = 255;

/** Why a file of this path cannot stand below a run's artifacts; `undefined` when it can. */
export function artifactProblem(path: string): string | undefined {
  const problem = artifactPathProblem(path);
  if (problem !== undefined) return `its path ${problem}`;
  if (!path.isWellFormed()) return 'its path holds half a character';
  if (path.split('/').some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT))
    return 'a part of its path is too long';
  return undefined;
}

/** What became of an artifact: bytes written, or why it could not be. */
export type ArtifactOutcome =
  | { readonly bytes: number }
  | { readonly code: 'ARTIFACT_NAME' | 'ARTIFACTS_NOT_CARRIED'; readonly reason: string };

/** The size of the file that stands at `path`, `undefined` when none does. */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  try {
    const info = await stat(path);
    return info.isFile() ? info.size : undefined;
  } catch (error) {
    if (isAbsent(error) || systemCode(error) === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

/**
 * Streams an artifact to `directory`, durable when this returns: written at `temporary` and renamed. Throws SHORT_BODY
 * when the bytes are not as many as were listed, the source's error, or a system error.
 */
export async function writeArtifact(
  source: RunReader,
  entry: ArtifactEntry,
  directory: string,
  temporary: string,
): Promise<ArtifactOutcome> {
  const body = await source.open(entry);
  if (body === undefined)
    return { code: 'ARTIFACTS_NOT_CARRIED', reason: 'the source does not hold its bytes' };
  const file = createWriteStream(temporary, { flags: 'wx', flush: true });
  await pipeline(body, file);
  if (entry.size !== undefined && file.bytesWritten !== entry.size) {
    throw new MlferryError(
      'SHORT_BODY',
      `Artifact "${entry.path}" has ${file.bytesWritten} bytes, but ${entry.size} were listed`,
    );
  }
  const path = join(directory, ...entry.path.split('/'));
  try {
    await mkdir(dirname(path), { recursive: true });
    await rename(temporary, path);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENAMETOOLONG') return { code: 'ARTIFACT_NAME', reason: 'its path is too long' };
    if (code === 'EEXIST' || code === 'ENOTDIR' || code === 'EISDIR' || code === 'ENOTEMPTY') {
      return { code: 'ARTIFACT_NAME', reason: 'a file and a directory would have the same name' };
    }
    throw error;
  }
  return { bytes: file.bytesWritten };
}
