import { artifactPathProblem } from '../artifact-path.ts';

/** Longest name (bytes) that the file systems of servers and stores have. */
const MAX_SEGMENT = 255;

/** Why a file of this path cannot stand below a directory; `undefined` when it can. */
export function localPathProblem(path: string): string | undefined {
  const problem = artifactPathProblem(path);
  if (problem !== undefined) return `its path ${problem}`;
  if (!path.isWellFormed()) return 'its path holds half a character';
  if (path.split('/').some((segment) => Buffer.byteLength(segment) > MAX_SEGMENT))
    return 'a part of its path is too long';
  return undefined;
}
