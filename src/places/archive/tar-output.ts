import { MlferryError } from '../../util/errors.ts';
import type { Output } from '../record-files/output.ts';
import { BLOCK, paddingOf, tarHeader } from './tar-header.ts';

/** Writes tar entries one after another. */
export interface TarOutput {
  /** Bytes of all entries so far. */
  length(): number;
  /** `body` must have exactly `size` bytes. */
  entry(name: string, size: number, body: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<void>;
  /** Writes the end of the tar; `output` is left to be finished. */
  end(): Promise<void>;
}

/** A {@link TarOutput} whose bytes go to `output`, which has `length` bytes of entries already. */
export function createTarOutput(output: Pick<Output, 'write'>, length = 0): TarOutput {
  let offset = length;
  return {
    length: () => offset,
    entry: async (name, size, body) => {
      await output.write(await tarHeader(name, size));
      let written = 0;
      for await (const piece of body) {
        await output.write(piece);
        written += piece.length;
      }
      if (written !== size)
        throw new MlferryError('BUG', `The entry ${name} has ${written} bytes instead of ${size}`);
      const padding = paddingOf(size);
      if (padding > 0) await output.write(Buffer.alloc(padding));
      offset += BLOCK + size + padding;
    },
    end: () => output.write(Buffer.alloc(2 * BLOCK)),
  };
}
