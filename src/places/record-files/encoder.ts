import { createCompressor, type Encoder } from './compress.ts';
import type { Compression } from './file-compression.ts';

/** What a file is made of its content. */
export interface Encoding {
  readonly compression: Compression;
  /** Who can decrypt it; nobody: it is not encrypted. */
  readonly recipients: readonly string[];
}

/** Whether the bytes of the file are those of the content, so that an unfinished one can be gone on with. */
export function isPlain({ compression, recipients }: Encoding): boolean {
  return compression === 'none' && recipients.length === 0;
}

/** First compresses, then encrypts; `undefined` where neither is asked for. Rejects with the error of `out`. */
export async function createEncoder(
  { compression, recipients }: Encoding,
  out: (bytes: Uint8Array) => Promise<void>,
): Promise<Encoder | undefined> {
  const compress = (to: typeof out) =>
    compression === 'none' ? undefined : createCompressor(compression, to);
  if (recipients.length === 0) return compress(out);
  const { createEncrypter } = await import('./age.ts');
  const encrypter = await createEncrypter(recipients, out);
  const compressor = compress(encrypter.write);
  if (compressor === undefined) return encrypter;
  return {
    write: compressor.write,
    end: async () => {
      await compressor.end();
      await encrypter.end();
    },
    destroy: async () => {
      await compressor.destroy();
      await encrypter.destroy();
    },
  };
}
