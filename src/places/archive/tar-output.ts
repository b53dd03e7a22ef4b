import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { Output } from '../recorded/output.ts';
import { BLOCK, entryHeader, paddingOf } from './tar-header.ts';

/** Writes tar entries one after another. */
export interface TarOutput {
  /** Where the body of the next entry will begin in the tar (bytes). */
  nextOffset(): number;
  /** `body` must have exactly `size` bytes. */
  entry(name: string, size: number, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Writes the end of the tar; `output` is left to be finished. */
  end(): Promise<void>;
  destroy(): void;
}

/** A {@link TarOutput} whose bytes go to `output`; its errors are thrown. */
export function createTarOutput(output: Output): TarOutput {
  const tar = pack();
  const pumped = (async () => {
    for await (const piece of tar) {
      if (!(piece instanceof Uint8Array)) throw new TypeError('tar-stream gave something else than bytes');
      await output.write(piece);
    }
  })();
  pumped.catch(() => undefined);
  let offset = 0;
  return {
    nextOffset: () => offset + BLOCK,
    entry: async (name, size, body) => {
      try {
        await pipeline(Readable.from(body, { objectMode: false }), tar.entry(entryHeader(name, size)));
      } catch (error) {
        if (tar.destroyed) await pumped;
        throw error;
      }
      offset += BLOCK + size + paddingOf(size);
    },
    end: async () => {
      tar.finalize();
      await pumped;
    },
    destroy: () => {
      tar.destroy();
    },
  };
}
