import { createHash } from 'node:crypto';
import { RENAMED_DIRECTORY, RENAMED_FILE } from '../../../model/own-files.ts';

/** What is reported of a file that got another name. */
export const RENAMED = `the server would alter or refuse this name; the file is below ${RENAMED_DIRECTORY}, ${RENAMED_FILE} tells which`;

/** A path that every store keeps, the same in every pass. */
export function safeName(path: string): string {
  const base = (path.toWellFormed().split('/').at(-1) ?? '')
    .normalize('NFKD')
    .replace(/[^A-Za-z0-9._-]+/g, '_')
    .slice(-100);
  const hash = createHash('sha256').update(JSON.stringify(path)).digest('hex').slice(0, 16);
  return `${RENAMED_DIRECTORY}/${hash}-${base}`;
}

/** The directory of a path; '' is the root. */
export function parentOf(path: string): string {
  return path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '';
}

/** The directories of these paths, and all above them. */
export function directoriesOf(paths: Iterable<string>): Set<string> {
  const directories = new Set<string>();
  for (const path of paths) {
    for (let directory = parentOf(path); !directories.has(directory); directory = parentOf(directory)) {
      directories.add(directory);
      if (directory === '') break;
    }
  }
  return directories;
}
