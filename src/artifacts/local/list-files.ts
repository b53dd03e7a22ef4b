import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isAbsent, systemCode } from '../../util/errors.ts';
import { isInside } from './is-inside.ts';

/** A file of the directory, or what stands there that is not carried, and why. */
export type LocalFile =
  | { readonly entry: { readonly path: string; readonly size: number } }
  | {
      readonly path: string;
      readonly problem: string;
      readonly code: 'ARTIFACT_NAME' | 'ARTIFACT_MISSING' | 'ARTIFACTS_NOT_CARRIED';
    };

/**
 * Files below a directory in code-unit order of their paths. Symbolic links are followed only as far as they stay
 * inside. No directory: no files.
 */
export async function* listFiles(directory: string): AsyncGenerator<LocalFile> {
  let real: string;
  try {
    real = await realpath(directory);
  } catch (error) {
    if (isAbsent(error)) return;
    throw error;
  }
  yield* walk(real, real, '');
}

async function* walk(root: string, directory: string, prefix: string): AsyncGenerator<LocalFile> {
  const entries = await readdir(directory, { withFileTypes: true });
  const items: { name: string; target: string; kind: 'file' | 'directory' | LocalFile }[] = [];
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
): Promise<{ target: string; kind: 'file' | 'directory' | LocalFile }> {
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
