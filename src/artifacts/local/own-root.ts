import { realpath } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { MlferryError } from '../../util/errors.ts';
import { isOwnRoot } from '../root.ts';
import { openFile } from './open-file.ts';

/**
 * Opens a file of a run's artifact directory, if that directory is reachable from this machine and is this run's own
 * (`…/<run_id>/artifacts`, which no other machine's path resembles by chance). `undefined` when it is not, or when the
 * file is not readable here, is no file, or lies outside through a symbolic link: then only the server can give it. The
 * stream fails with SHORT_BODY; `name` stands in its message.
 */
export async function openInOwnRoot(
  root: string,
  run_id: string,
  file: { readonly path: string; readonly size?: number },
  name?: string,
): Promise<Readable | undefined> {
  if (!isOwnRoot(root, run_id)) return undefined;
  const directory = await realpath(root).catch(() => undefined);
  if (directory === undefined || !isOwnRoot(directory, run_id)) return undefined;
  try {
    return await openFile(directory, file, name);
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'SOURCE_ITEM') throw error;
    return undefined;
  }
}
