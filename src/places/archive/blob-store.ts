import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { type ByteSpool, createByteSpool } from '../../util/byte-spool.ts';
import { createCompressor } from '../record-files/compress.ts';
import type { BodyStore } from '../record-files/record-writer.ts';
import { blobName } from './entry-names.ts';

/** Writes an entry whose body has `size` bytes with this sha256 (hex). */
export type WriteEntry = (
  name: string,
  size: number,
  sha256: string,
  body: AsyncIterable<Uint8Array>,
) => Promise<void>;

interface Blob {
  readonly sha256: string;
  readonly compressed: boolean;
  readonly start: number;
  readonly end: number;
  readonly storedSha256: string;
}

const SAMPLE = 64 * 1024;
const compress = promisify(zstdCompress);
const helps = (compressed: number, plain: number) => compressed <= 0.95 * plain;

/**
 * Artifact bytes of one run, spooled as they will stand in the archive: compressed when that makes the first 64 KiB
 * at least 5 % smaller. `written` has the sha256 of the blobs that the archive holds already.
 */
export function blobStore(tempDir: string, written: Set<string>, writeEntry: WriteEntry): BodyStore {
  const spool = createByteSpool(tempDir);
  const blobs: Blob[] = [];
  return {
    store: async (body, accept) => {
      const content = createHash('sha256');
      const stored = createHash('sha256');
      const start = spool.length();
      let size = 0;
      const put = async (bytes: Uint8Array) => {
        stored.update(bytes);
        await spool.append(bytes);
      };
      const compressed = await encode(body, put, (bytes) => {
        content.update(bytes);
        size += bytes.length;
      });
      const sha256 = content.digest('hex');
      accept({ size, sha256 });
      blobs.push({ sha256, compressed, start, end: spool.length(), storedSha256: stored.digest('hex') });
      return { size, sha256 };
    },
    commit: async () => {
      for (const blob of blobs) {
        if (written.has(blob.sha256)) continue;
        await writeBlob(blob, spool, writeEntry);
        written.add(blob.sha256);
      }
    },
    remove: spool.remove,
  };
}

async function writeBlob(blob: Blob, spool: ByteSpool, writeEntry: WriteEntry): Promise<void> {
  const { sha256, compressed, start, end, storedSha256 } = blob;
  await writeEntry(blobName(sha256, compressed), end - start, storedSha256, spool.read(start, end));
}

/** Passes a body on to `put`, compressed or not, and tells which; `look` sees it as it was. */
async function encode(
  body: AsyncIterable<Uint8Array>,
  put: (bytes: Uint8Array) => Promise<void>,
  look: (bytes: Uint8Array) => void,
): Promise<boolean> {
  let start: Uint8Array[] = [];
  let startLength = 0;
  let next: ((bytes: Uint8Array) => Promise<void>) | undefined;
  let end = async () => {};
  let giveUp = async () => {};
  let compressed = false;
  const decide = async () => {
    const all = Buffer.concat(start, startLength);
    start = [];
    const sample = all.subarray(0, SAMPLE);
    const smaller = await compress(sample);
    compressed = helps(smaller.length, sample.length);
    if (compressed) {
      const compressor = createCompressor('zstd', put);
      next = compressor.write;
      end = compressor.end;
      giveUp = compressor.destroy;
    } else next = put;
    await next(all);
  };
  try {
    for await (const bytes of body) {
      look(bytes);
      if (next !== undefined) await next(bytes);
      else {
        start.push(bytes);
        startLength += bytes.length;
        if (startLength > SAMPLE) await decide();
      }
    }
    if (next === undefined && startLength > 0) {
      const all = Buffer.concat(start, startLength);
      const smaller = await compress(all);
      compressed = helps(smaller.length, all.length);
      await put(compressed ? smaller : all);
    }
    await end();
    return compressed;
  } catch (error) {
    // The next body goes into the same spool.
    await giveUp();
    throw error;
  }
}
