import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, lstat, mkdir, realpath, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { isInside } from '../artifacts/local/is-inside.ts';
import { localPathProblem } from '../artifacts/local/names.ts';
import { writeBody } from '../artifacts/local/put-file.ts';
import { withTempDir } from '../job/job-options.ts';
import { failureOf } from '../job/ledger.ts';
import type { Failure } from '../model/findings.ts';
import type { ArtifactEntry } from '../places/artifact-owner.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, errorCodes, isAbsent, MlferryError, systemCode } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { type FilesOf, type FoundFiles, withFilesOf } from './files-of.ts';
import type { ListOptions } from './list-runs.ts';

/** A file that is on this machine now. */
export interface GotArtifact {
  /** Below the artifact root and below the directory, with `/`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** `unchanged`: it was there with the same sha256. */
  readonly outcome: 'written' | 'unchanged';
}

/** What was brought. */
export interface GotArtifacts extends FoundFiles {
  /** Absolute. */
  readonly directory: string;
  readonly artifacts: readonly GotArtifact[];
}

/** How far it is. */
export interface GetProgress {
  readonly done: number;
  readonly total: number;
  /** Bytes. */
  readonly bytes: number;
}

/** Options of {@link getArtifacts}. */
export interface GetArtifactsOptions extends ListOptions {
  /** Replace files that are there. */
  readonly force?: boolean | undefined;
  readonly onProgress?: ((progress: GetProgress) => void) | undefined;
}

/** Files that are named where many are there already. */
const MOST_SHOWN = 5;

/**
 * Brings a file or all files of a directory from any place below `directory`, each under its path below the artifact root, whole and
 * checked against what the place tells of its size and sha256, or not at all. A file that cannot be brought costs itself. Throws CONFLICT,
 * and brings nothing, where others are there already (unless `force`), and as {@link withFilesOf}.
 */
export async function getArtifacts(
  location: string,
  name: string,
  path: string,
  directory: string,
  { force = false, onProgress, ...options }: GetArtifactsOptions = {},
): Promise<GotArtifacts> {
  const target = resolve(directory);
  const { found, result } = await withFilesOf(location, name, path, options, async (of, entries) => {
    const [artifacts, failures]: [GotArtifact[], Failure[]] = [[], []];
    const fail = (entry: ArtifactEntry, error: unknown) => {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      failures.push(failureOf(`artifact ${JSON.stringify(entry.path)}`, known));
    };
    const wanted: ArtifactEntry[] = [];
    const taken: string[] = [];
    for (const entry of entries) {
      const problem = localPathProblem(entry.path);
      if (problem !== undefined) {
        fail(entry, new MlferryError('SOURCE_ITEM', `It is left out: ${problem}`));
        continue;
      }
      const present = force ? 'absent' : await whatIsThere(join(target, entry.path), entry);
      if (present === 'other') taken.push(entry.path);
      else if (present === 'absent') wanted.push(entry);
      else artifacts.push({ path: entry.path, size: present.size, outcome: 'unchanged' });
    }
    if (taken.length > 0) throw areThere(taken, target);
    if (wanted.length > 0) {
      await mkdir(target, { recursive: true }).catch((error: unknown) => {
        throw asMlferryError(error, 'LOCATION', `${target} cannot be made`);
      });
      await withTempDir(target, async (temporary) => {
        let [done, bytes] = [0, 0];
        await mapConcurrent(wanted.entries(), options.concurrency ?? 8, async ([number, entry]) => {
          try {
            const size = await getOne(of, entry, join(temporary, String(number)), target, force);
            artifacts.push({ path: entry.path, size, outcome: 'written' });
            bytes += size;
          } catch (error) {
            fail(entry, error);
          }
          done += 1;
          onProgress?.({ done, total: wanted.length, bytes });
        });
      });
    }
    artifacts.sort((a, b) => (a.path < b.path ? -1 : 1));
    return { artifacts, failures };
  });
  const failures = [...found.failures, ...result.failures];
  const exit_status = failures.length > 0 ? errorCodes.INCOMPLETE.exit : found.exit_status;
  return { ...found, directory: target, artifacts: result.artifacts, failures, exit_status };
}

function areThere(taken: readonly string[], directory: string): MlferryError {
  const more = taken.length > MOST_SHOWN ? `, and ${taken.length - MOST_SHOWN} more` : '';
  return new MlferryError(
    'CONFLICT',
    `${directory} has ${taken
      .slice(0, MOST_SHOWN)
      .map((path) => JSON.stringify(path))
      .join(', ')}${more} already: nothing was written`,
    { hint: '--force replaces what is there; -o names another directory.' },
  );
}

/** Whether something stands at a path: the very file, by the sha256 that its place tells, or something else. */
async function whatIsThere(
  file: string,
  { sha256 }: ArtifactEntry,
): Promise<'absent' | 'other' | { readonly size: number }> {
  const info = await lstat(file).catch((error: unknown) => {
    if (isAbsent(error)) return undefined;
    throw error;
  });
  if (info === undefined) return 'absent';
  if (sha256 === undefined || !info.isFile()) return 'other';
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex') === sha256 ? { size: info.size } : 'other';
}

/** Brings one file by way of a temporary one on the same file system; its bytes. */
async function getOne(
  { files }: FilesOf,
  entry: ArtifactEntry,
  temporary: string,
  directory: string,
  force: boolean,
): Promise<number> {
  const body = await files.open(entry);
  if (body === undefined)
    throw new MlferryError('SOURCE_ITEM', 'The place names the file and does not give its bytes', {
      hint: 'Those of a stream are in its --artifacts-dir.',
    });
  const size = await writeBody(temporary, { body, size: entry.size, name: 'It', durable: false });
  const file = join(directory, entry.path);
  try {
    if (!isInside(await realpath(directory), await deepestReal(dirname(file))))
      throw new MlferryError('REFUSED', 'A link on the way leads out of the directory', {
        hint: 'Remove the link, or name another directory.',
      });
    await mkdir(dirname(file), { recursive: true });
    if (force) await rename(temporary, file);
    else await placeNew(temporary, file);
    return size;
  } finally {
    await rm(temporary, { force: true });
  }
}

/** Where a directory is, or the nearest one above it that is there, all links followed. */
async function deepestReal(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (error) {
    if (!isAbsent(error)) throw error;
    return deepestReal(dirname(directory));
  }
}

/** Gives a file its place, where nothing stands. */
async function placeNew(temporary: string, file: string): Promise<void> {
  try {
    await link(temporary, file);
  } catch (error) {
    const code = systemCode(error);
    if (code === 'EEXIST')
      throw new MlferryError('REFUSED', 'It came to be there meanwhile', { hint: '--force replaces it.' });
    // A file system without links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS') throw error;
    await rename(temporary, file);
  }
}
