import type { Readable } from 'node:stream';
import type { PlaceOptions } from '../place-options.ts';
import { AGE_START, isAge } from './age.ts';
import { decompress, type Swelling, sniffCompression } from './decompress.ts';

/**
 * What a compressed file may swell to: archives and streams of mlferry stay far below, since what compresses that well
 * inside an archive is compressed there already.
 */
const MOST_SWELLING: Swelling = { bytes: 2 ** 28, ratio: 500 };

/** Whether the bytes of a file are not its content, as its first {@link AGE_START} bytes tell. */
export function isEncoded(start: Uint8Array): boolean {
  return isAge(start) || sniffCompression(start) !== 'none';
}

/** The content of a file or pipe: decrypted and decompressed, as its first bytes tell. Throws as `decryptAge` and {@link decompress}. */
export async function* decode(
  chunks: AsyncIterable<Uint8Array>,
  where: string,
  { identityFiles }: Pick<PlaceOptions, 'identityFiles'>,
): AsyncGenerator<Uint8Array> {
  const { start, all } = await startOf(chunks, AGE_START);
  if (!isAge(start)) {
    yield* inflated(all, where);
    return;
  }
  const { decryptAge } = await import('./age.ts');
  yield* inflated(decryptAge(all, where, identityFiles), where);
}

async function* inflated(chunks: AsyncIterable<Uint8Array>, where: string): AsyncGenerator<Uint8Array> {
  const { start, all } = await startOf(chunks, 4);
  const kind = sniffCompression(start);
  yield* kind === 'none' ? all : decompress(all, kind, where, MOST_SWELLING);
}

/** The first bytes, which may come in several chunks, and all of them with the rest. */
async function startOf(chunks: AsyncIterable<Uint8Array>, length: number) {
  const iterator = chunks[Symbol.asyncIterator]();
  let start = Buffer.alloc(0);
  let ended = false;
  while (start.length < length && !ended) {
    const next = await iterator.next();
    if (next.done === true) ended = true;
    else start = Buffer.concat([start, next.value]);
  }
  const all = async function* () {
    try {
      yield start;
      for (;;) {
        const next = ended ? undefined : await iterator.next();
        if (next === undefined || next.done === true) return;
        yield next.value;
      }
    } finally {
      await iterator.return?.();
    }
  };
  return { start, all: all() };
}

/** Bytes of the content that tell which kind of file it is. */
const KIND_START = 512;

/** The first bytes of what comes through a pipe, decoded, and the same pipe from its beginning. What is wrong with it shows when it is read. */
export async function peekPipe(
  pipe: Readable,
  options: Pick<PlaceOptions, 'identityFiles'>,
): Promise<{ readonly start: Uint8Array; readonly chunks: AsyncIterable<Uint8Array> }> {
  const iterator: AsyncIterator<Uint8Array> = pipe[Symbol.asyncIterator]();
  // In the order in which they come, also where whoever asked for one no longer waits for it.
  const taken: Array<Uint8Array | undefined> = [];
  const pull = async () => {
    const next = await iterator.next();
    if (next.done !== true) taken.push(next.value);
    return next.done !== true;
  };
  async function* replayed() {
    for (let at = 0; ; at++) {
      if (at === taken.length && !(await pull()) && at === taken.length) return;
      const chunk = taken[at];
      if (chunk !== undefined) yield chunk;
    }
  }
  let start = Buffer.alloc(0);
  try {
    for await (const piece of decode(replayed(), 'The standard input', options)) {
      start = Buffer.concat([start, piece]);
      if (start.length >= KIND_START) break;
    }
  } catch {
    // Told by whoever reads it.
  }
  async function* chunks() {
    for (let at = 0; ; at++) {
      if (at === taken.length && !(await pull()) && at === taken.length) return;
      const chunk = taken[at];
      taken[at] = undefined;
      if (chunk !== undefined) yield chunk;
    }
  }
  return { start, chunks: chunks() };
}
