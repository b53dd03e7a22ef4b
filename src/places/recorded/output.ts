import { once } from 'node:events';
import { type FileHandle, lstat, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Writable } from 'node:stream';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError, systemCode } from '../../util/errors.ts';
import type { Compression } from '../location.ts';
import { createCompressor } from './compress.ts';

/** Where the bytes of an archive or stream go. After a failed call only `abort` may follow. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the result durable and gives it its name. */
  finish(): Promise<void>;
  /** Leaves nothing behind. May be called more than once, and after `finish`, which it then does not undo. */
  abort(): Promise<void>;
}

/** Throws CONFLICT when something has this name already, unless it may be overwritten. */
export async function refuseExisting(path: string, overwrite: boolean): Promise<void> {
  try {
    const found = await lstat(path);
    if (overwrite && found.isFile()) return;
    const hint = overwrite ? undefined : 'Choose another name, or add --overwrite to replace it.';
    throw new MlferryError('CONFLICT', `${path} exists already`, hint === undefined ? {} : { hint });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw asMlferryError(error, 'LOCATION', `${path} cannot be written`);
  }
}

/**
 * A file that has its name only once it is whole: until `finish` it is `<path>.partial`. Throws CONFLICT when `path`
 * exists and may not be overwritten, LOCATION when it cannot be made, NO_SPACE.
 */
export async function openOutputFile(
  path: string,
  compression: Compression,
  overwrite: boolean,
): Promise<Output> {
  await refuseExisting(path, overwrite);
  const partial = `${path}.partial`;
  let file: FileHandle | undefined = await openPartial(partial);
  let position = 0;
  const raw = async (bytes: Uint8Array) => {
    if (file === undefined) throw new MlferryError('BUG', `${partial} is closed already`);
    try {
      await writeAll(file, bytes, position);
    } catch (error) {
      throw asMlferryError(error, 'NO_SPACE', `${partial} cannot be written`);
    }
    position += bytes.length;
  };
  const compressor = compression === 'none' ? undefined : createCompressor(compression, raw);
  return {
    write: compressor === undefined ? raw : compressor.write,
    finish: async () => {
      await compressor?.end();
      try {
        await file?.sync();
        await file?.close();
        await refuseExisting(path, overwrite);
        await rename(partial, path);
        file = undefined;
        await syncDirectory(dirname(path));
      } catch (error) {
        throw asMlferryError(error, 'NO_SPACE', `${path} cannot be finished`);
      }
    },
    abort: async () => {
      compressor?.destroy();
      if (file === undefined) return;
      await file.close().catch(() => undefined);
      file = undefined;
      await rm(partial, { force: true });
    },
  };
}

async function openPartial(partial: string): Promise<FileHandle> {
  try {
    return await open(partial, 'w');
  } catch (error) {
    const code = systemCode(error);
    if (code === 'ENOENT')
      throw new MlferryError('LOCATION', `The directory ${dirname(partial)} does not exist`, {
        cause: error,
      });
    throw asMlferryError(error, 'LOCATION', `${partial} cannot be written`);
  }
}

/** Makes a rename in this directory durable, where the system can do that. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r').catch(() => undefined);
  await directory?.sync().catch(() => undefined);
  await directory?.close();
}

/** A pipe as an output; it is left open. Throws UNAVAILABLE when its reader goes away. */
export function openOutputPipe(pipe: Writable): Output {
  let broken: unknown;
  const onError = (error: unknown) => {
    broken ??= error;
  };
  pipe.on('error', onError);
  const gone = () =>
    new MlferryError('UNAVAILABLE', 'The standard output was closed by the program that reads it', {
      cause: broken,
      hint: 'See what the program behind the pipe says, then run the same command again.',
    });
  return {
    write: async (bytes) => {
      if (broken !== undefined || pipe.destroyed) throw gone();
      try {
        if (!pipe.write(bytes)) await once(pipe, 'drain');
      } catch {
        throw gone();
      }
    },
    finish: async () => {
      if (broken !== undefined || pipe.destroyed) throw gone();
      // An empty write calls back when everything before it is out.
      await new Promise<void>((resolve, reject) => {
        pipe.write('', (error) => (error ? reject(gone()) : resolve()));
      });
      pipe.off('error', onError);
    },
    // The listener stays: the pipe may still report that nobody reads it.
    abort: async () => {},
  };
}
