import { sep } from 'node:path';

/** Whether a path is the directory or below it. Both without links: see `realpath`. */
export function isInside(directory: string, path: string): boolean {
  return path === directory || path.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}
