import { once } from 'node:events';
import { constants, type FileHandle, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { writeAll } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError } from '../../util/errors.ts';
import { createEncoder, type Encoding } from './encoder.ts';
import { DATA, type PartialDirectory } from './partial-directory.ts';

/** Where the bytes of an archive or stream go. After a failed call only `abort` may follow. */
export interface Output {
  write(bytes: Uint8Array): Promise<void>;
  /** Makes the result durable and gives it its name. */
  finish(): Promise<void>;
  /** Ends it without a result. May be called more than once, and after `finish`, which it then does not undo. */
  abort(): Promise<void>;
}

/** A file as an output; it may be gone on with when it is neither compressed nor encrypted. */
export interface FileOutput extends Output {
  /** Forgets all bytes from `length` on; the next ones are written there. */
  cut(length: number): Promise<void>;
}

/**
 * The data file of a partial directory, as it is until it is cut: `finish` gives it its final name, `abort` leaves it for a later attempt if
 * `keeps` says so. Throws LOCATION when it cannot be made, NO_SPACE.
 */
export async function openOutputFile(
  partial: PartialDirectory,
  encoding: Encoding,
  keeps: () => boolean,
): Promise<FileOutput> {
  const path = partial.file(DATA);
  let file: FileHandle | undefined = await open(path, constants.O_RDWR | constants.O_CREAT).catch(
    (error: unknown) => {
      throw asMlferryError(error, 'LOCATION', `${path} cannot be written`);
    },
  );
  let position = 0;
  const use = async <T>(work: (handle: FileHandle) => Promise<T>): Promise<T> => {
    if (file === undefined) throw new MlferryError('BUG', `${path} is closed already`);
    try {
      return await work(file);
    } catch (error) {
      throw asMlferryError(error, 'NO_SPACE', `${path} cannot be written`);
    }
  };
  const raw = async (bytes: Uint8Array) => {
    await use((handle) => writeAll(handle, bytes, position));
    position += bytes.length;
  };
  const encoder = await createEncoder(encoding, raw);
  return {
    write: encoder?.write ?? raw,
    cut: async (length) => {
      await use((handle) => handle.truncate(length));
      position = length;
    },
    finish: async () => {
      await encoder?.end();
      await use((handle) => handle.sync());
      await use((handle) => handle.close());
      await partial.finish();
      file = undefined;
    },
    abort: async () => {
      await encoder?.destroy();
      if (file === undefined) return;
      await file.close().catch(() => undefined);
      file = undefined;
      await partial.leave(keeps());
    },
  };
}

/** A pipe as an output; it is left open. Throws UNAVAILABLE when its reader goes away. */
export async function openOutputPipe(pipe: Writable, encoding: Encoding): Promise<Output> {
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
  const raw = async (bytes: Uint8Array) => {
    if (broken !== undefined || pipe.destroyed) throw gone();
    try {
      // A pipe may hold on to what it is given, and the caller uses its bytes again.
      if (!pipe.write(Buffer.from(bytes))) await once(pipe, 'drain');
    } catch {
      throw gone();
    }
  };
  const encoder = await createEncoder(encoding, raw);
  return {
    write: encoder?.write ?? raw,
    finish: async () => {
      await encoder?.end();
      if (broken !== undefined || pipe.destroyed) throw gone();
      // An empty write calls back when everything before it is out.
      await new Promise<void>((resolve, reject) => {
        // What the pipe tells its other listeners of an error comes right behind the call.
        pipe.write('', (error) => (error ? setImmediate(() => reject(gone())) : resolve()));
      });
      pipe.off('error', onError);
    },
    // The listener stays: the pipe may still report that nobody reads it.
    abort: async () => encoder?.destroy(),
  };
}
