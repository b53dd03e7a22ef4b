import { once } from 'node:events';
import { constants, createGzip, createZstdCompress } from 'node:zlib';

/** Takes bytes and gives them on in another form. */
export interface Encoder {
  write(bytes: Uint8Array): Promise<void>;
  /** Returns when all has been given on. */
  end(): Promise<void>;
  /** Gives up; nothing more comes out once it returns. */
  destroy(): Promise<void>;
}

const PIECE = 64 * 1024;

/**
 * A gzip (no name, no time) or zstd (with checksum) compressor whose output goes to `out`, one piece after another.
 * Its output depends on the bytes only, not on how they were cut. Rejects with the error of `out`.
 */
export function createCompressor(kind: 'gzip' | 'zstd', out: (bytes: Uint8Array) => Promise<void>): Encoder {
  const stream =
    kind === 'gzip' ? createGzip() : createZstdCompress({ params: { [constants.ZSTD_c_checksumFlag]: 1 } });
  const pumped = (async () => {
    for await (const piece of stream) await out(piece);
  })();
  // Awaited in `end` and after every failed write; without this an early failure would count as unhandled.
  pumped.catch(() => undefined);
  stream.on('error', () => undefined);

  // zlib's output depends on the size of its inputs, and on whether the last one comes with the end. They are copied: whoever
  // gives them uses their bytes again.
  const pending = Buffer.allocUnsafeSlow(PIECE);
  let pendingLength = 0;
  const feed = async (bytes: Uint8Array) => {
    try {
      await new Promise<void>((resolve, reject) => {
        stream.write(bytes, (error) => (error ? reject(error) : resolve()));
      });
    } catch (error) {
      await pumped;
      throw error;
    }
  };
  return {
    write: async (bytes) => {
      for (let start = 0; start < bytes.length; ) {
        const part = bytes.subarray(start, start + PIECE - pendingLength);
        pending.set(part, pendingLength);
        pendingLength += part.length;
        start += part.length;
        if (pendingLength < PIECE) return;
        pendingLength = 0;
        await feed(pending);
      }
    },
    end: async () => {
      if (pendingLength > 0) await feed(pending.subarray(0, pendingLength));
      const closed = once(stream, 'close');
      // When `out` fails the stream ends in an error of its own, after the one that `pumped` throws.
      closed.catch(() => undefined);
      stream.end();
      await pumped;
      await closed;
    },
    destroy: async () => {
      stream.destroy();
      await pumped.catch(() => undefined);
    },
  };
}
