import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGunzip, createZstdDecompress, zstdDecompressSync } from 'node:zlib';
import { z } from 'zod';
import { MlferryError, systemCode } from '../../util/errors.ts';
import type { Compression } from './file-compression.ts';

/** Compression of a file by its first bytes, whatever its name says. */
export function sniffCompression(start: Uint8Array): Compression {
  if (start[0] === 0x1f && start[1] === 0x8b) return 'gzip';
  if (start[0] === 0x28 && start[1] === 0xb5 && start[2] === 0x2f && start[3] === 0xfd) return 'zstd';
  return 'none';
}

/** Bytes of one piece that comes out, unless told; Node's own 16 KiB makes large files slow. */
const OUTPUT = 2 ** 16;

/** What `zstd --ultra` uses at most without being told to go beyond. */
const ANY_WINDOW = 27;
/** What zstd's levels up to 19 use: the most inside an archive, where many blobs are read at once. */
export const INNER_WINDOW = 23;

/** How far compressed bytes may swell: beyond `bytes`, not more than `ratio` to one. */
export interface Swelling {
  readonly bytes: number;
  readonly ratio: number;
  /** The most that zstd may want to keep of what came out, as a power of 2 (bytes); 128 MiB unless told. */
  readonly windowLog?: number;
  /** Most bytes of a piece that comes out. */
  readonly piece?: number;
}

/**
 * The decompressed bytes; `where` names them in errors. Throws TRUNCATED when they are cut, CORRUPT when they are
 * damaged or anything follows them, HOSTILE when they swell beyond `most`.
 */
export async function* decompress(
  chunks: AsyncIterable<Uint8Array>,
  kind: 'gzip' | 'zstd',
  where: string,
  most: Swelling,
): AsyncGenerator<Uint8Array> {
  const chunkSize = most.piece ?? OUTPUT;
  const inflate =
    kind === 'gzip'
      ? createGunzip({ chunkSize })
      : createZstdDecompress({
          chunkSize,
          params: { [constants.ZSTD_d_windowLogMax]: most.windowLog ?? ANY_WINDOW },
        });
  let taken = 0;
  let failure: unknown;
  const counted = async function* () {
    for await (const chunk of chunks) {
      // zstd leaves whatever follows its frame unread and says nothing.
      if (inflate.readableEnded) throw trailing(where);
      taken += chunk.length;
      yield chunk;
    }
  };
  const fed = pipeline(Readable.from(counted(), { objectMode: false }), inflate).catch((error: unknown) => {
    failure ??= error;
  });
  let given = 0;
  try {
    for await (const piece of inflate) {
      given += piece.length;
      if (given > most.bytes && given > taken * most.ratio) {
        throw new MlferryError(
          'HOSTILE',
          most.ratio === 0
            ? `${where} swells to more than ${most.bytes} bytes`
            : `${where} swells to more than ${most.ratio} times its size`,
        );
      }
      yield piece;
    }
    await fed;
  } catch (error) {
    throw inflateError(failure instanceof MlferryError ? failure : error, where);
  } finally {
    inflate.destroy();
  }
  if (failure !== undefined) throw inflateError(failure, where);
  if (inflate.bytesWritten !== taken) throw trailing(where);
}

/** What is small enough to be decompressed at once (bytes, before and after): a stream costs ten times as much. */
const SMALL = 2 ** 16;
const SMALL_OUTPUT = 2 ** 20;

/** Whether so many stored bytes are few enough for {@link decompressSmall}. */
export const isSmall = (stored: number) => stored <= SMALL;

/**
 * The decompressed bytes of a small zstd content; `undefined` when it is not small, or anything is wrong with it: then
 * {@link decompress} has to say what.
 */
export function decompressSmall(stored: Uint8Array, most: Swelling): Uint8Array | undefined {
  if (!isSmall(stored.length)) return undefined;
  const params = { [constants.ZSTD_d_windowLogMax]: most.windowLog ?? ANY_WINDOW };
  try {
    // Room for what a text of this size usually becomes; more is made when it is needed.
    const chunkSize = Math.max(1024, 8 * stored.length);
    const options = { params, chunkSize, maxOutputLength: SMALL_OUTPUT, info: true };
    const found: unknown = zstdDecompressSync(stored, options);
    const { buffer, engine } = withInfo.parse(found);
    const isAllowed = buffer.length <= most.bytes || buffer.length <= stored.length * most.ratio;
    return engine.bytesWritten === stored.length && isAllowed ? buffer : undefined;
  } catch {
    return undefined;
  }
}

/** `bytesWritten`: what the engine took in. */
const withInfo = z.object({
  buffer: z.instanceof(Uint8Array),
  engine: z.object({ bytesWritten: z.number() }),
});

const trailing = (where: string) =>
  new MlferryError('CORRUPT', `${where} has something behind its compressed data`);

function inflateError(error: unknown, where: string): unknown {
  const code = systemCode(error);
  if (code === 'Z_BUF_ERROR')
    return new MlferryError('TRUNCATED', `${where} is cut: its compressed data has no end`, { cause: error });
  if (code?.startsWith('Z_') || code?.startsWith('ZSTD_')) {
    return new MlferryError('CORRUPT', `${where} cannot be decompressed: ${code}`, { cause: error });
  }
  return error;
}
