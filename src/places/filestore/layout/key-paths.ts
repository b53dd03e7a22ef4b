import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { isAbsent } from '../../../util/errors.ts';

/** Keys of params, tags and metrics are paths of files: `a/b` is the file `b` in the directory `a`. */

/** A key's file, or what stands in its place and why it is not read. */
export interface KeyFile {
  readonly key: string;
  readonly path: string;
  readonly problem?: string;
}

/** Files that other programs leave beside those of a store: no version of MLflow wrote them. */
const FOREIGN =
  /^(?:\._.*|\.DS_Store|thumbs\.db|desktop\.ini|\.ipynb_checkpoints|\.nfs[0-9a-f]+|\.fuse_hidden.*|\.sync.*|\.stfolder|\.dropbox.*|\.goutputstream-.*|.*~|~\$.*|\.#.*|#.*#|\..*\.sw[a-p]|\.~lock\..*|.*conflicted copy.*|.*\.sync-conflict-.*)$/is;

/** Whether a file or directory of this name is what a file manager, an editor or a sync tool left. */
export function isForeign(name: string): boolean {
  return FOREIGN.test(name);
}

/** All key files under a directory (`metrics`, `params`, `tags`), keys in code-unit order; none when it is not there. What other
 * programs left is not among them: `onForeign` hears of each. */
export async function listKeyFiles(directory: string, onForeign?: () => void): Promise<KeyFile[]> {
  const files: KeyFile[] = [];
  const walk = (path: string, prefix: string): void => {
    for (const entry of readdirSync(path, { withFileTypes: true })) {
      if (isForeign(entry.name)) {
        onForeign?.();
        continue;
      }
      const key = prefix + entry.name;
      const file = join(path, entry.name);
      if (entry.isDirectory()) walk(file, `${key}/`);
      else if (!entry.isFile())
        files.push({ key, path: file, problem: 'it is a symbolic link or a special file' });
      else if (entry.name.includes('\ufffd'))
        files.push({ key, path: file, problem: 'its name is not UTF-8' });
      else files.push({ key, path: file });
    }
  };
  try {
    // A link could lead to any directory of this machine, whose files would be taken for texts of the run.
    if (lstatSync(directory).isSymbolicLink())
      return [{ key: '', path: directory, problem: 'their directory is a symbolic link' }];
    walk(directory, '');
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  return files.sort((a, b) => (a.key < b.key ? -1 : 1));
}

// MLflow's own check (mlflow/utils/validation.py): Python's \w, and a trailing line end slips through its `$`.
// The colon came with 2.16: an older MLflow cannot read a run that has one in a key.
const ALLOWED = /^[/\p{L}\p{N}_.\- :]*\n?$/u;
const MAX_SEGMENT = 255;
const MAX_PATH = 4000;

/** Why MLflow or the file system cannot hold this key as a file under `directory`; `undefined` when they can. */
function keyProblem(directory: string, key: string): string | undefined {
  if (!ALLOWED.test(key)) return 'MLflow allows only letters, digits, and /_.-: and spaces in it';
  const segments = key.split('/');
  if (key.startsWith('..') || segments.some((part) => part === '' || part === '.' || part === '..')) {
    return 'it does not name a file below the run';
  }
  const tooLong = segments.some((part) => Buffer.byteLength(part) > MAX_SEGMENT);
  if (tooLong || Buffer.byteLength(directory) + Buffer.byteLength(key) > MAX_PATH) {
    return 'it is too long for a file name';
  }
  return undefined;
}

/**
 * Decides which keys get a file under `directory`: a key cannot be a file and another key's directory at once; the
 * first one asked for wins, and those in `present` were first. The answer is the reason why not, else `undefined`.
 */
export function createKeySpace(
  directory: string,
  present: Iterable<string> = [],
): (key: string) => string | undefined {
  const files = new Set<string>();
  const directories = new Set<string>();
  const parents = (key: string) => [...key.matchAll(/\//g)].map((match) => key.slice(0, match.index));
  const take = (key: string) => {
    files.add(key);
    for (const parent of parents(key)) directories.add(parent);
  };
  for (const key of present) take(key);
  return (key) => {
    if (files.has(key)) return undefined;
    const problem = keyProblem(directory, key);
    if (problem !== undefined) return problem;
    const parent = parents(key).find((path) => files.has(path));
    if (parent !== undefined) return `"${parent}" is a file, so it cannot be its directory`;
    if (directories.has(key)) return 'it is the directory of other keys';
    take(key);
    return undefined;
  };
}
