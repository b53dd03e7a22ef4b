import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MlferryError } from '../util/errors.ts';

/** A location as the user wrote it, taken apart as far as all places need it. */
export interface LocationText {
  readonly text: string;
  /** The file or directory it names; absent when it begins with another scheme than `file:`. */
  readonly path: string | undefined;
}

/** Takes a location apart. Throws LOCATION for an empty text and a `file:` URL that is none. */
export function readLocation(text: string): LocationText {
  if (text === '') throw new MlferryError('LOCATION', 'An empty text names no place');
  // One letter is a drive.
  if (!/^[a-z][a-z0-9+.-]+:/i.test(text)) return { text, path: text };
  if (!text.startsWith('file:')) return { text, path: undefined };
  // As in MLflow, `file:./mlruns` is relative (mlflow/utils/file_utils.py).
  if (/^file:[^/]/.test(text)) return { text, path: decoded(text.slice('file:'.length)) };
  try {
    return { text, path: fileURLToPath(text) };
  } catch (error) {
    throw new MlferryError('LOCATION', `"${text}" is not a valid file URL`, { cause: error });
  }
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

/** One text for one file or directory: absolute and without links, as far as it is there. */
export function pathIdentity(path: string): string {
  return withoutLinks(resolve(path));
}

function withoutLinks(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    const above = dirname(path);
    return above === path ? path : join(withoutLinks(above), basename(path));
  }
}
