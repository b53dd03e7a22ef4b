import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isAbsent, MlferryError, systemCode } from '../../util/errors.ts';

/** The size of the file that stands at `path`, `undefined` when none does. */
export async function sizeOfFile(path: string): Promise<number | undefined> {
  try {
    const info = await stat(path);
    return info.isFile() ? info.size : undefined;
  } catch (error) {
    if (isAbsent(error) || systemCode(error) === 'ENAMETOOLONG') return undefined;
    throw error;
  }
}

/** What a file that is written is made of. */
export interface FileBody {
  readonly body: Readable;
  /** Bytes; `undefined`: not known. */
  readonly size: number | undefined;
  /** For messages. */
  readonly name: string;
  /** Whether the bytes are on the disk when the promise resolves. */
  readonly durable: boolean;
}

/**
 * Writes bytes at `path`, whose directory exists; their number. Throws SHORT_BODY when they are not `size`, the body's
 * error, or a system error, and leaves nothing then.
 */
export async function writeBody(path: string, { body, size, name, durable }: FileBody): Promise<number> {
  const file = createWriteStream(path, { flush: durable });
  try {
    await pipeline(body, file);
    if (size === undefined || file.bytesWritten === size) return file.bytesWritten;
    throw new MlferryError('SHORT_BODY', `${name} should have ${size} bytes and has ${file.bytesWritten}`);
  } catch (error) {
    await rm(path, { force: true });
    throw error;
  }
}

/** Gives a file that was written elsewhere on the same file system its place below a directory. Throws a system error. */
export async function placeFile(temporary: string, directory: string, path: string): Promise<void> {
  const file = join(directory, ...path.split('/'));
  await mkdir(dirname(file), { recursive: true });
  await rename(temporary, file);
}
