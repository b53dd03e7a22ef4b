import type { FileHandle } from 'node:fs/promises';
import { MlferryError } from './errors.ts';

const PIECE = 2 ** 17;

/**
 * The bytes of an open file from `start` to `end` (exclusive), in pieces of at most 128 KiB, without moving the file's
 * own position. Throws TRUNCATED, naming `name`, when the file ends before.
 */
export async function* readRange(
  file: FileHandle,
  start: number,
  end: number,
  name: string,
): AsyncGenerator<Buffer<ArrayBuffer>> {
  for (let position = start; position < end; ) {
    const wanted = Math.min(PIECE, end - position);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, position);
    if (bytesRead === 0) throw new MlferryError('TRUNCATED', `${name} ends at byte ${position}`);
    yield buffer.subarray(0, bytesRead);
    position += bytesRead;
  }
}
