const MAX_PATH_BYTES = 4096;

/**
 * Why a run-relative artifact path must not be used, `undefined` when it is fine. Refused is what could leave the
 * run's own root on any system (`..` between slashes or backslashes, absolute, drive letter) or names no file (empty
 * segment, `.`, NUL). A backslash inside a name is legal on POSIX and stays.
 */
export function artifactPathProblem(path: string): string | undefined {
  if (path === '') return 'is empty';
  if (path.includes('\0')) return 'holds a NUL character';
  if (Buffer.byteLength(path) > MAX_PATH_BYTES) return `is longer than ${MAX_PATH_BYTES} bytes`;
  if (/^[/\\]/.test(path)) return 'is absolute';
  if (/^[a-z]:([/\\]|$)/i.test(path)) return 'begins with a drive letter';
  if (path.split(/[/\\]/).includes('..')) return 'leads out of its run with ".."';
  if (path.split('/').some((segment) => segment === '' || segment === '.'))
    return 'has an empty or "." segment';
  return undefined;
}

/** Whether a path is as a directory's listing has it: no empty, `.` or `..` segment. */
export function isNormalized(path: string): boolean {
  return path.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..');
}
