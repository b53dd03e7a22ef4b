import { type FileHandle, open } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { createByteSpool } from '../../util/byte-spool.ts';
import { asMlferryError, MlferryError, systemCode } from '../../util/errors.ts';
import { readRange } from '../../util/read-range.ts';
import type { PlaceOptions } from '../place-options.ts';
import { AGE_START } from './age.ts';
import { decode, isEncoded } from './decode.ts';

/** The uncompressed content of a file or pipe, readable anywhere and any number of times. */
export interface Input {
  readonly size: number;
  /** Bytes from `start` to `end` (exclusive). Throws TRUNCATED beyond the end, CORRUPT when the file has changed. */
  read(start: number, end: number): AsyncIterable<Uint8Array>;
  close(): Promise<void>;
}

type InputOptions = Pick<PlaceOptions, 'tempDir' | 'signal' | 'identityFiles'>;

/** Watches uncompressed bytes while they are spooled, and may refuse them before their end. */
type Guard = (chunks: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>;

/** Where a file's bytes come from: without a path from the standard input. Throws USAGE when there is none. */
export function inputSource(
  path: string | undefined,
  stdin: Readable | undefined,
): { path: string } | { pipe: Readable } {
  if (path !== undefined) return { path };
  if (stdin === undefined) throw new MlferryError('USAGE', 'There is no standard input to read from');
  return { pipe: stdin };
}

/**
 * Opens a file by its path, or a pipe. Compressed and encrypted content (told by its first bytes) and pipes are spooled to `tempDir`
 * first, decoded. Throws NOT_FOUND or LOCATION when there is no readable file, TRUNCATED, CORRUPT, HOSTILE and FORMAT as
 * {@link decode}, NO_SPACE, and what `guard` throws about what is spooled.
 */
export async function openInput(
  source: { path: string } | { pipe: Readable },
  options: InputOptions,
  guard: Guard = (chunks) => chunks,
): Promise<Input> {
  if ('pipe' in source) {
    const chunks = pipeChunks(addAbortSignal(options.signal, source.pipe));
    return spooled(chunks, 'The standard input', options, guard);
  }
  const { path } = source;
  const file = await openFile(path);
  try {
    const before = await file.stat();
    if (before.isDirectory()) throw new MlferryError('LOCATION', `${path} is a directory, not a file`);
    if (!before.isFile())
      return await spooled(fileChunks(file, path), path, options, guard, () => file.close());
    const start = await file.read(Buffer.alloc(AGE_START), 0, AGE_START, 0);
    if (isEncoded(start.buffer.subarray(0, start.bytesRead))) {
      const chunks = readRange(file, 0, before.size, path);
      return await spooled(chunks, path, options, guard, () => file.close());
    }
    return {
      size: before.size,
      read: async function* (from, to) {
        const now = await file.stat();
        if (now.size !== before.size || now.mtimeMs !== before.mtimeMs) {
          throw new MlferryError('CORRUPT', `${path} changed while it was being read`);
        }
        for await (const piece of readRange(file, from, to, path)) {
          refuseAborted(options.signal);
          yield piece;
        }
      },
      close: () => file.close(),
    };
  } catch (error) {
    await file.close();
    throw asMlferryError(error, 'LOCATION', `${path} cannot be read`);
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT')
      throw new MlferryError('LOCATION', `There is no file ${path}`, { cause: error });
    throw new MlferryError('LOCATION', `${path} cannot be opened: ${systemCode(error) ?? String(error)}`, {
      cause: error,
    });
  }
}

async function spooled(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  options: InputOptions,
  guard: Guard,
  close: () => Promise<void> = async () => {},
): Promise<Input> {
  const spool = createByteSpool(options.tempDir);
  try {
    for await (const piece of guard(decode(chunks, where, options))) {
      refuseAborted(options.signal);
      await spool.append(piece);
    }
  } catch (error) {
    await spool.remove();
    throw error;
  }
  await close();
  return { size: spool.length(), read: spool.read, close: spool.remove };
}

function refuseAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted', { cause: signal.reason });
}

async function* fileChunks(file: FileHandle, path: string): AsyncGenerator<Uint8Array> {
  yield* pipeChunks(file.createReadStream({ autoClose: false }), path);
}

async function* pipeChunks(pipe: Readable, name = 'The standard input'): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of pipe) {
      if (typeof chunk === 'string') yield Buffer.from(chunk);
      else if (chunk instanceof Uint8Array) yield chunk;
      else throw new MlferryError('BUG', `${name} gave something else than bytes`);
    }
  } catch (error) {
    throw asMlferryError(error, 'TRUNCATED', `${name} broke off`);
  }
}
