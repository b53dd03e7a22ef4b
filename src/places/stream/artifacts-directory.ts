import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError, systemCode } from '../../util/errors.ts';
import { whereabouts } from '../../util/process-identity.ts';
import { syncDirectory } from '../../util/sync-directory.ts';
import { blobPath } from '../record-files/blob-path.ts';
import { checkedBody } from '../record-files/checked-body.ts';
import type { BodyStore } from '../record-files/record-writer.ts';
import type { StoredBody } from '../record-files/run-spool.ts';

/**
 * Keeps artifact bytes in a directory beside a stream, each content once, as `sha256/ab/cdef…`. A file stands there
 * under its name only when it is whole; a run that fails afterwards leaves it behind, for the next attempt to use.
 */
export function artifactsDirectory(directory: string): BodyStore {
  return {
    store: async (body, accept) => {
      try {
        return await storeFile(directory, body, accept);
      } catch (error) {
        throw asMlferryError(error, 'NO_SPACE', `${directory} cannot be written`);
      }
    },
    commit: async () => undefined,
    remove: async () => undefined,
  };
}

const ownPrefix = () => `${hostname()}-`;

/** Removes what processes left that died while they wrote to the directory. Others may be writing to it just now. */
export async function removeLeftovers(directory: string): Promise<void> {
  const names = await readdir(directory).catch((error: unknown) => {
    if (systemCode(error) === 'ENOENT') return [];
    throw asMlferryError(error, 'LOCATION', `${directory} cannot be read`);
  });
  for (const name of names) {
    const rest = name.startsWith(ownPrefix()) ? name.slice(ownPrefix().length) : '';
    const pid = /^(\d+)-[0-9a-f-]{36}\.partial$/.exec(rest)?.[1];
    if (pid !== undefined && whereabouts({ pid: Number(pid), host: hostname() }) === 'gone')
      await rm(join(directory, name), { force: true });
  }
}

async function storeFile(
  directory: string,
  body: AsyncIterable<Uint8Array>,
  accept: (stored: StoredBody) => void,
): Promise<StoredBody> {
  await mkdir(directory, { recursive: true });
  const partial = join(directory, `${ownPrefix()}${process.pid}-${randomUUID()}.partial`);
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
    accept(stored);
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
 * The bytes with this sha256 from such a directory, checked while they are read (SHORT_BODY, SOURCE_ITEM). Throws
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

/** Whether the bytes with this sha256 are there and right. */
export async function isStored(directory: string, { size, sha256 }: StoredBody): Promise<boolean> {
  const path = join(directory, blobPath(sha256));
  if ((await sizeOf(path)) !== size) return false;
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece);
  return hash.digest('hex') === sha256;
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
