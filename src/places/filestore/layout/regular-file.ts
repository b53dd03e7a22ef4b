import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MlferryError } from '../../../util/errors.ts';

/** Longest file that is read whole (bytes): a `meta.yaml`, a param, a tag. */
const MOST_WHOLE = 64 * 2 ** 20;

/**
 * Opens a file for reading. Throws SOURCE_ITEM when it is a pipe, a device or a directory: opening a pipe would wait
 * for a writer, and a device has no end. Throws the system error when it cannot be opened.
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!(await file.stat()).isFile()) throw new MlferryError('SOURCE_ITEM', `${path} is not a file`);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The bytes of a small file. Throws as {@link openRegularFile}, and SOURCE_ITEM beyond 64 MiB. */
export async function readSmallFile(path: string): Promise<Buffer> {
  const file = await openRegularFile(path);
  try {
    const { size } = await file.stat();
    if (size > MOST_WHOLE) throw new MlferryError('SOURCE_ITEM', `${path} has more than ${MOST_WHOLE} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}
