import { type FileHandle, open, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { systemCode } from '../util/errors.ts';

const READ_BYTES = 256 * 1024;

/**
 * Opens a file of a run's artifact directory, if that directory is reachable from this machine and is this run's own
 * (`…/<run_id>/artifacts`, which no other machine's path resembles by chance). `undefined` when it is not, or when the
 * file is not readable here, or lies outside through a symbolic link: then only the server can give it.
 */
export async function openInDirectory(
  root: string,
  run_id: string,
  path: string,
): Promise<Readable | undefined> {
  if (basename(root) !== 'artifacts' || basename(dirname(root)) !== run_id) return undefined;
  let handle: FileHandle;
  try {
    const directory = await realpath(root);
    const file = await realpath(join(directory, ...path.split('/')));
    if (!file.startsWith(`${directory}${sep}`)) return undefined;
    handle = await open(file, 'r');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  return handle.createReadStream({ highWaterMark: READ_BYTES });
}
