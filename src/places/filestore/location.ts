import { statSync } from 'node:fs';
import { MlferryError, systemCode } from '../../util/errors.ts';
import type { LocationText } from '../location-text.ts';

/** A directory: a store, or one that contains a store. */
export interface FileStoreLocation {
  readonly path: string;
}

/** Any path but that of a file. Throws LOCATION when it cannot be looked at. */
export function fileStoreLocation({ path }: LocationText): FileStoreLocation | undefined {
  return path === undefined || isFile(path) ? undefined : { path };
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    if (systemCode(error) === 'ENOENT' || systemCode(error) === 'ENOTDIR') return false;
    throw new MlferryError(
      'LOCATION',
      `"${path}" cannot be looked at: ${systemCode(error) ?? String(error)}`,
      { cause: error },
    );
  }
}
