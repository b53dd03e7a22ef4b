import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { giveBackBuffer, takeBuffer } from './buffer-pool.ts';
import { asMlferryError } from './errors.ts';
import { readRange } from './read-range.ts';

/** Bytes on their way: the last ones in memory, what came before them in a temporary file. */
export interface ByteSpool {
  /** Bytes appended so far. */
  length(): number;
  /** Throws NO_SPACE on a full disk. */
  append(bytes: Uint8Array): Promise<void>;
  /** The bytes from `start` to `end` (exclusive), in pieces that are valid until more is appended or all is removed. */
  read(start: number, end: number): AsyncGenerator<Uint8Array>;
  /** Removes the temporary file. */
  remove(): Promise<void>;
}

const MEMORY_LIMIT = 2 ** 19;

/** An empty {@link ByteSpool}. It touches `tempDir` only once it holds more than `memoryLimit` bytes (512 KiB unless told). */
export function createByteSpool(tempDir: string, memoryLimit = MEMORY_LIMIT): ByteSpool {
  const path = join(tempDir, `spool-${randomUUID()}`);
  let file: FileHandle | undefined;
  let flushed = 0;
  // One buffer for all: keeping the pieces themselves would let them pile up between two garbage collections.
  let tail: Buffer = Buffer.alloc(0);
  let tailLength = 0;

  const flush = async (bytes: Uint8Array) => {
    try {
      file ??= await open(path, 'wx+', 0o600);
      await writeAll(file, bytes, flushed);
      flushed += bytes.length;
    } catch (error) {
      throw asMlferryError(error, 'NO_SPACE', `The spool file ${path} cannot be written`);
    }
  };

  /** Lets the tail grow up to the limit, and beyond it empties it into the file. */
  const makeRoom = async (size: number) => {
    if (tailLength + size > memoryLimit) {
      await flush(tail.subarray(0, tailLength));
      tailLength = 0;
    }
    if (size > memoryLimit || size <= tail.length - tailLength) return;
    const larger = takeBuffer(Math.max(2 * tail.length, tailLength + size));
    larger.set(tail.subarray(0, tailLength));
    giveBackBuffer(tail);
    tail = larger;
  };

  return {
    length: () => flushed + tailLength,
    append: async (bytes) => {
      if (bytes.length > Math.min(tail.length, memoryLimit) - tailLength) await makeRoom(bytes.length);
      if (bytes.length > memoryLimit) return flush(bytes);
      tail.set(bytes, tailLength);
      tailLength += bytes.length;
    },
    read: async function* (start, end) {
      if (file !== undefined && start < flushed) yield* readRange(file, start, Math.min(end, flushed), path);
      const inTail = tail.subarray(
        Math.max(start - flushed, 0),
        Math.min(Math.max(end - flushed, 0), tailLength),
      );
      if (inTail.length > 0) yield inTail;
    },
    remove: async () => {
      giveBackBuffer(tail);
      tail = Buffer.alloc(0);
      tailLength = 0;
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
