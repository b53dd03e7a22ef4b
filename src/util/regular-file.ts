import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { MlferryError } from './errors.ts';

/** Longest file that is read whole (bytes): a `meta.yaml`, a param, a tag. */
const MOST_WHOLE = 64 * 2 ** 20;
/** Buffers that are used again: one for each file would be garbage that the collector does not see. */
const spare: Buffer[] = [];
const MOST_SPARE = 4;
const LEAST = 16 * 1024;
/** Without waiting for the writer of a pipe. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK;

/**
 * Opens a file for reading. Throws SOURCE_ITEM when it is a pipe, a device or a directory: opening a pipe would wait
 * for a writer, and a device has no end. Throws the system error when it cannot be opened.
 */
export async function openRegularFile(path: string): Promise<FileHandle> {
  const file = await open(path, FLAGS);
  try {
    if (!(await file.stat()).isFile()) throw notAFile(path);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * The bytes of a file in pieces of at most `most`, each read at once: a run is many small files, and a trip through the
 * thread pool for each open, read and close costs ten times what they cost. Throws as {@link openRegularFile}. A piece is valid until the next one is asked for.
 */
export function* readRegularFile(path: string, most: number): Generator<Buffer> {
  const file = openSync(path, FLAGS);
  let buffer = spare.pop() ?? Buffer.alloc(0);
  try {
    const stat = fstatSync(file);
    if (!stat.isFile()) throw notAFile(path);
    // One byte more shows that the file has come to its end; sizes of some file systems are 0.
    let room = Math.max(1, Math.min(most, stat.size + 1));
    for (;;) {
      if (buffer.length < room) buffer = Buffer.allocUnsafeSlow(Math.max(room, LEAST));
      const count = readSync(file, buffer, 0, room, null);
      if (count > 0) yield buffer.subarray(0, count);
      if (count < room && count === 0) return;
      if (count < room && room < most) return;
      room = most;
    }
  } finally {
    closeSync(file);
    if (spare.length < MOST_SPARE) spare.push(buffer);
  }
}

/** The bytes of a small file. Throws as {@link openRegularFile}, and SOURCE_ITEM beyond `most` bytes (64 MiB unless told). */
export function readSmallFile(path: string, most = MOST_WHOLE): Buffer {
  const pieces: Buffer[] = [];
  let size = 0;
  for (const piece of readRegularFile(path, 1024 * 1024)) {
    size += piece.length;
    if (size > most) throw new MlferryError('SOURCE_ITEM', `${path} has more than ${most} bytes`);
    pieces.push(Buffer.from(piece));
  }
  const [first = Buffer.alloc(0)] = pieces;
  return pieces.length > 1 ? Buffer.concat(pieces) : first;
}

function notAFile(path: string): MlferryError {
  return new MlferryError('SOURCE_ITEM', `${path} is not a file`);
}
