import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { MlferryError, systemCode } from '../../util/errors.ts';
import { openRegularFile } from '../../util/regular-file.ts';
import { sizedBody } from '../sized-body.ts';
import { isInside } from './is-inside.ts';

const READ_BYTES = 64 * 1024;

/**
 * The bytes of a file below a directory; `name` stands in messages. The stream fails with SHORT_BODY when they are not as
 * many as `size` tells. Throws SOURCE_ITEM when it cannot be opened, is no file, or lies outside through a symbolic link.
 */
export async function openFile(
  directory: string,
  { path, size }: { readonly path: string; readonly size?: number },
  name = `Artifact ${JSON.stringify(path)}`,
): Promise<Readable> {
  const file = join(directory, ...path.split('/'));
  try {
    const real = await realpath(file);
    if (!isInside(await realpath(directory), real))
      throw new MlferryError('SOURCE_ITEM', `${name} leaves ${directory}`);
    const handle = await openRegularFile(real);
    return sizedBody(handle.createReadStream({ highWaterMark: READ_BYTES }), size, name);
  } catch (error) {
    if (error instanceof MlferryError) throw error;
    const reason = systemCode(error) ?? String(error);
    throw new MlferryError('SOURCE_ITEM', `Artifact ${file} cannot be read: ${reason}`, { cause: error });
  }
}
