import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError, systemCode } from '../../util/errors.ts';
import { blobPath } from '../recorded/blob-path.ts';
import { checkedBody } from '../recorded/checked-body.ts';
import { syncDirectory } from '../recorded/output.ts';
import type { BodyStore } from '../recorded/record-writer.ts';
import type { StoredBody } from '../recorded/run-spool.ts';

/**
 * Keeps artifact bytes in a directory beside a stream, each content once, as `sha256/ab/cdef…`. A file stands there
 * under its name only when it is whole; a run that fails afterwards leaves it behind, for the next attempt to use.
 */
export function artifactsDirectory(directory: string): BodyStore {
  return {
    store: async (body) => {
      try {
        return await storeFile(directory, body);
      } catch (error) {
        throw asMlferryError(error, 'NO_SPACE', `${directory} cannot be written`);
      }
    },
    commit: async () => undefined,
    remove: async () => undefined,
  };
}

async function storeFile(directory: string, body: AsyncIterable<Uint8Array>): Promise<StoredBody> {
  await mkdir(directory, { recursive: true });
  const partial = join(directory, `${randomUUID()}.partial`);
  const file = await open(partial, 'wx');
  try {
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of body) {
      hash.update(chunk);
      await writeAll(file, chunk, size);
      size += chunk.length;
    }
    const stored = { size, sha256: hash.digest('hex') };
    await keep(file, partial, join(directory, blobPath(stored.sha256)), size);
    return stored;
  } finally {
    await file.close();
    await rm(partial, { force: true });
  }
}

async function keep(file: FileHandle, partial: string, path: string, size: number): Promise<void> {
  if ((await sizeOf(path)) === size) return;
  await mkdir(dirname(path), { recursive: true });
  await file.sync();
  await rename(partial, path);
  await syncDirectory(dirname(path));
}

/**
 * The bytes with this sha256 from such a directory, checked while they are read (SHORT_BODY, CORRUPT). Throws
 * SOURCE_ITEM when they are not there; `name` is the artifact's, for messages.
 */
export async function openStored(
  directory: string,
  { size, sha256 }: StoredBody,
  name: string,
): Promise<Readable> {
  const path = join(directory, blobPath(sha256));
  const found = await sizeOf(path);
  if (found === undefined)
    throw new MlferryError('SOURCE_ITEM', `${name}: its bytes (${path}) are not there`);
  if (found !== size)
    throw new MlferryError('SHORT_BODY', `${name}: ${path} has ${found} bytes instead of ${size}`);
  return checkedBody(createReadStream(path), { size, sha256 }, `${name} (${path})`);
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const found = await stat(path);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw asMlferryError(error, 'SOURCE_ITEM', `${path} cannot be looked at`);
  }
}
