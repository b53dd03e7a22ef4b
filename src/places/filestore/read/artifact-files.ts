import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, sep } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { isOwnRoot } from '../../../artifacts/root.ts';
import { MlferryError, systemCode } from '../../../util/errors.ts';
import type { ArtifactEntry } from '../../place.ts';
import { isAbsent, isDirectory } from '../layout/layout.ts';
import { openRegularFile } from '../layout/regular-file.ts';

/** Artifacts of a run: where their directory is, what is in it, and the bytes. */

const READ_BYTES = 64 * 1024;

/**
 * Where the artifacts of a run are. `unreachable`: the place that is recorded is not one of this machine. `away`: a
 * symbolic link leads to a directory that is neither in the store nor this run's own; it is not followed.
 */
export interface ArtifactRoot {
  readonly path: string;
  readonly unreachable: boolean;
  readonly away: boolean;
}

function localPath(uri: string): string | undefined {
  if (uri.startsWith('file:')) {
    try {
      return fileURLToPath(uri);
    } catch {
      return undefined;
    }
  }
  return isAbsolute(uri) ? uri : undefined;
}

/**
 * Finds the artifacts of a run: the recorded directory when it is there and is this run's (`…/<run_id>/artifacts`),
 * else the one beside `meta.yaml`, because recorded paths go stale when a store moves. Of a server's proxied
 * artifacts (`mlflow-artifacts:`) the default directory `mlartifacts` beside the store is tried.
 */
export async function locateArtifacts(
  root: string,
  runDir: string,
  runId: string,
  uri: string,
): Promise<ArtifactRoot> {
  const beside = join(runDir, 'artifacts');
  const at = async (path: string, unreachable = false) => ({
    path,
    unreachable,
    away: await leadsAway(path, root, runDir, runId),
  });
  const local = localPath(uri);
  if (local !== undefined) {
    return at(isOwnRoot(local, runId) && (await isDirectory(local)) ? local : beside);
  }
  if (!/^[a-z][a-z0-9+.-]*:/i.test(uri)) return at(beside);
  const proxied = /^mlflow-artifacts:(?:\/\/[^/]*)?\/+(.*)$/.exec(uri)?.[1];
  if (proxied !== undefined && !proxied.split('/').includes('..')) {
    const path = join(dirname(root), 'mlartifacts', proxied);
    if (await isDirectory(path)) return at(path);
  }
  const held = (await isDirectory(beside)) && (await readdir(beside)).length > 0;
  return at(beside, !held);
}

/** Whether links on the way lead to a directory that has nothing to do with this run: any of this machine's. */
async function leadsAway(path: string, root: string, runDir: string, runId: string): Promise<boolean> {
  const real = await realpath(path).catch(() => undefined);
  if (real === undefined || isOwnRoot(real, runId)) return false;
  const homes = [root, runDir, dirname(root)].map((home) => realpath(home).catch(() => home));
  const [store = root, run = runDir, above = root] = await Promise.all(homes);
  return ![store, run, join(above, 'mlartifacts')].some((home) => isInside(home, real));
}

/** A file of the directory, or what stands there that is not carried, and why. */
export type ArtifactFile =
  | { readonly entry: ArtifactEntry & { readonly size: number } }
  | {
      readonly path: string;
      readonly problem: string;
      readonly code: 'ARTIFACT_NAME' | 'ARTIFACT_MISSING' | 'ARTIFACTS_NOT_CARRIED';
    };

/**
 * Files below a directory in code-unit order of their paths. Symbolic links are followed only as far as they stay
 * inside. No directory: no files.
 */
export async function* listArtifactFiles(directory: string): AsyncGenerator<ArtifactFile> {
  let real: string;
  try {
    real = await realpath(directory);
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  yield* walk(real, real, '');
}

const isInside = (root: string, path: string) =>
  path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);

async function* walk(root: string, directory: string, prefix: string): AsyncGenerator<ArtifactFile> {
  const entries = await readdir(directory, { withFileTypes: true });
  const items: { name: string; target: string; kind: 'file' | 'directory' | ArtifactFile }[] = [];
  for (const entry of entries) {
    const target = join(directory, entry.name);
    const path = prefix + entry.name;
    if (entry.name.includes('\ufffd') && (await lstat(target).catch(() => undefined)) === undefined) {
      items.push({
        name: entry.name,
        target,
        kind: { path, code: 'ARTIFACT_NAME', problem: 'its name is not UTF-8' },
      });
    } else if (entry.isSymbolicLink()) {
      items.push({ name: entry.name, ...(await resolveLink(root, directory, target, path)) });
    } else if (entry.isDirectory() || entry.isFile()) {
      items.push({ name: entry.name, target, kind: entry.isFile() ? 'file' : 'directory' });
    } else {
      const problem = 'it is neither a file nor a directory';
      items.push({ name: entry.name, target, kind: { path, code: 'ARTIFACTS_NOT_CARRIED', problem } });
    }
  }
  const sortKey = (item: (typeof items)[number]) => (item.kind === 'directory' ? `${item.name}/` : item.name);
  items.sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  for (const { name, target, kind } of items) {
    if (kind === 'directory') yield* walk(root, target, `${prefix}${name}/`);
    else if (kind === 'file') yield { entry: { path: prefix + name, size: (await stat(target)).size } };
    else yield kind;
  }
}

async function resolveLink(
  root: string,
  directory: string,
  link: string,
  path: string,
): Promise<{ target: string; kind: 'file' | 'directory' | ArtifactFile }> {
  let target: string;
  try {
    target = await realpath(link);
  } catch (error) {
    const problem = `it is a symbolic link that leads nowhere (${systemCode(error) ?? String(error)})`;
    return { target: link, kind: { path, code: 'ARTIFACT_MISSING', problem } };
  }
  if (!isInside(root, target)) {
    const problem = 'it is a symbolic link that leaves the artifact directory';
    return { target, kind: { path, code: 'ARTIFACTS_NOT_CARRIED', problem } };
  }
  const info = await stat(target);
  if (info.isFile()) return { target, kind: 'file' };
  if (info.isDirectory() && !isInside(target, directory)) return { target, kind: 'directory' };
  return {
    target,
    kind: { path, code: 'ARTIFACTS_NOT_CARRIED', problem: 'it is a symbolic link that leads back' },
  };
}

/**
 * The bytes of a listed file. The stream fails with SHORT_BODY when they are not as many as were listed. Throws
 * SOURCE_ITEM when it cannot be opened or is outside by now.
 */
export async function openArtifactFile(directory: string, artifact: ArtifactEntry): Promise<Readable> {
  const path = join(directory, ...artifact.path.split('/'));
  try {
    const real = await realpath(path);
    if (!isInside(await realpath(directory), real)) {
      throw new MlferryError('SOURCE_ITEM', `Artifact "${artifact.path}" leaves ${directory}`);
    }
    const handle = await openRegularFile(real);
    const stream = handle.createReadStream({ highWaterMark: READ_BYTES });
    return Readable.from(checkedBytes(stream, artifact), { objectMode: false, highWaterMark: READ_BYTES });
  } catch (error) {
    if (error instanceof MlferryError) throw error;
    throw new MlferryError(
      'SOURCE_ITEM',
      `Artifact ${path} cannot be read: ${systemCode(error) ?? String(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function* checkedBytes(stream: AsyncIterable<Buffer>, artifact: ArtifactEntry): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += chunk.length;
    if (artifact.size !== undefined && bytes > artifact.size) break;
    yield chunk;
  }
  if (artifact.size !== undefined && bytes !== artifact.size) {
    const found = bytes > artifact.size ? 'more' : `${bytes}`;
    throw new MlferryError(
      'SHORT_BODY',
      `Artifact "${artifact.path}" has ${found} bytes, but ${artifact.size} were listed`,
    );
  }
}
