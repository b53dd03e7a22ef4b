import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';

const MIB = 2 ** 20;
/** What MLflow's own uploads through boto3 have, too: the marks of their files can be computed here. */
const PART = 8 * MIB;
const MOST_PARTS = 10_000;

/** Bytes of the parts in which a file of this size is sent; one that is no larger goes whole. */
export function partSize(size: number): number {
  return Math.max(PART, Math.ceil(size / MOST_PARTS / MIB) * MIB);
}

/** The bytes of a stream in pieces of `size`, the last one perhaps shorter; one empty piece where there are none. */
export async function* pieces(body: Readable, size: number): AsyncGenerator<Buffer> {
  let chunks: Uint8Array[] = [];
  let bytes = 0;
  let any = false;
  for await (const chunk of body) {
    if (!(chunk instanceof Uint8Array)) throw new TypeError('a byte stream gave something else than bytes');
    let rest = chunk;
    while (bytes + rest.length >= size) {
      const take = size - bytes;
      yield Buffer.concat([...chunks, rest.subarray(0, take)], size);
      any = true;
      chunks = [];
      bytes = 0;
      rest = rest.subarray(take);
    }
    if (rest.length > 0) {
      chunks.push(rest);
      bytes += rest.length;
    }
  }
  if (bytes > 0 || !any) yield Buffer.concat(chunks, bytes);
}

/** The MD5 of some bytes, as stores know it. */
export function md5(bytes: Uint8Array): { readonly base64: string; readonly hex: string } {
  const digest = createHash('md5').update(bytes).digest();
  return { base64: digest.toString('base64'), hex: digest.toString('hex') };
}

/** A mark without its quotes. */
export const plainEtag = (etag: string | undefined): string | undefined => etag?.replaceAll('"', '');

/**
 * Whether a mark is that of these bytes: their MD5, or of parts that are as large as here the MD5 of those of the parts. False
 * tells nothing: encrypted files have marks of another kind.
 */
export async function hasEtag(body: Readable, size: number, etag: string): Promise<boolean> {
  const [, digest, parts] = /^([0-9a-f]{32})(?:-(\d+))?$/.exec(etag) ?? [];
  const bytes = parts === undefined ? Math.max(size, 1) : partSize(size);
  const count = Math.max(1, Math.ceil(size / bytes));
  if (digest === undefined || (parts !== undefined && Number(parts) !== count)) {
    body.destroy();
    return false;
  }
  const whole = createHash('md5');
  if (parts === undefined) {
    for await (const chunk of body) whole.update(chunk);
  } else {
    for await (const piece of pieces(body, bytes)) whole.update(createHash('md5').update(piece).digest());
  }
  return whole.digest('hex') === digest;
}
