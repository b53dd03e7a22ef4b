import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asMlferryError } from '../util/errors.ts';
import { readRange } from './read-range.ts';

/** Bytes on their way: the last ones in memory, what came before them in a temporary file. */
export interface ByteSpool {
  /** Bytes appended so far. */
  length(): number;
  /** Takes the bytes over: the caller must not change them afterwards. Throws NO_SPACE on a full disk. */
  append(bytes: Uint8Array): Promise<void>;
  /** The bytes from `start` to `end` (exclusive), in pieces of at most 1 MiB. */
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
  /** Removes the temporary file. */
  remove(): Promise<void>;
}

const MEMORY_LIMIT = 2 ** 20;

/** An empty {@link ByteSpool}. It touches `tempDir` only once it holds more than `memoryLimit` bytes. */
export function createByteSpool(tempDir: string, memoryLimit = MEMORY_LIMIT): ByteSpool {
  const path = join(tempDir, `spool-${randomUUID()}`);
  let file: FileHandle | undefined;
  let flushed = 0;
  let tail: Uint8Array[] = [];
  let tailLength = 0;

  const flush = async () => {
    file ??= await open(path, 'wx+', 0o600);
    const bytes = Buffer.concat(tail);
    tail = [];
    tailLength = 0;
    await writeAll(file, bytes, flushed);
    flushed += bytes.length;
  };

  return {
    length: () => flushed + tailLength,
    append: async (bytes) => {
      tail.push(bytes);
      tailLength += bytes.length;
      if (tailLength <= memoryLimit) return;
      try {
        await flush();
      } catch (error) {
        throw asMlferryError(error, 'NO_SPACE', `The spool file ${path} cannot be written`);
      }
    },
    read: async function* (start, end) {
      if (file !== undefined && start < flushed) yield* readRange(file, start, Math.min(end, flushed), path);
      let offset = flushed;
      for (const piece of tail) {
        const from = Math.max(start - offset, 0);
        const to = Math.min(end - offset, piece.length);
        if (from < to) yield piece.subarray(from, to);
        offset += piece.length;
      }
    },
    remove: async () => {
      tail = [];
      await file?.close();
      if (file !== undefined) await rm(path, { force: true });
      file = undefined;
    },
  };
}

/** Writes all bytes at a position: one `write` may take fewer. */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}
