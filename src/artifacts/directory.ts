import { constants } from 'node:fs';
import { open, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { systemCode } from '../util/errors.ts';
import { isOwnRoot } from './root.ts';

const READ_BYTES = 256 * 1024;

/**
 * Opens a file of a run's artifact directory, if that directory is reachable from this machine and is this run's own
 * (`…/<run_id>/artifacts`, which no other machine's path resembles by chance). `undefined` when it is not, or when the
 * file is not readable here, is no file, or lies outside through a symbolic link: then only the server can give it.
 */
export async function openInDirectory(
  root: string,
  run_id: string,
  path: string,
): Promise<Readable | undefined> {
  if (!isOwnRoot(root, run_id)) return undefined;
  try {
    const directory = await realpath(root);
    const file = await realpath(join(directory, ...path.split('/')));
    if (!isOwnRoot(directory, run_id) || !file.startsWith(`${directory}${sep}`)) return undefined;
    // Opening a pipe would wait for whoever writes to it.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if ((await handle.stat()).isFile()) return handle.createReadStream({ highWaterMark: READ_BYTES });
    await handle.close();
    return undefined;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}
