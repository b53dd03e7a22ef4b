import { once } from 'node:events';
import { pack } from 'tar-stream';

/** Size of a tar header, and what bodies are padded to (bytes). */
export const BLOCK = 512;

/** What every entry of an archive looks like but for its name and size: nothing of the machine or the moment. */
export function entryHeader(name: string, size: number) {
  // 1980: some tars warn of times near 1970.
  return {
    name,
    size,
    mode: 0o644,
    uid: 0,
    gid: 0,
    mtime: new Date('1980-01-01T00:00:00Z'),
    type: 'file' as const,
  };
}

/** Names and sizes that stand in the header as they are: ASCII, eleven octal digits. */
const PLAIN_NAME = /^[\x20-\x7e]{1,100}$/;
const PLAIN_SIZE = 8 ** 11;
const SIZE_AT = 124;
const CHECKSUM_AT = 148;
const CHECKSUM_END = 156;

let template: Promise<Uint8Array> | undefined;

/** The header block that `tar-stream` writes for such an entry: it makes the first one, the others differ in three fields. */
export async function tarHeader(name: string, size: number): Promise<Uint8Array> {
  if (!PLAIN_NAME.test(name) || size >= PLAIN_SIZE) return packedHeader(name, size);
  template ??= packedHeader('', 0);
  const block = Buffer.from(await template);
  block.write(name, 0, 'latin1');
  block.write(size.toString(8).padStart(11, '0'), SIZE_AT, 'latin1');
  block.write(checksumOf(block).toString(8).padStart(6, '0'), CHECKSUM_AT, 'latin1');
  return block;
}

/** Sum of the bytes of a header, its own field counting as spaces. */
export function checksumOf(block: Uint8Array): number {
  let sum = (CHECKSUM_END - CHECKSUM_AT) * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < CHECKSUM_AT || at >= CHECKSUM_END) sum += block[at] ?? 0;
  return sum;
}

async function packedHeader(name: string, size: number): Promise<Uint8Array> {
  const tar = pack();
  tar.on('error', () => undefined);
  tar.entry(entryHeader(name, size)).on('error', () => undefined);
  const [block]: unknown[] = await once(tar, 'data');
  tar.destroy();
  return block instanceof Uint8Array ? block : new Uint8Array();
}

/** Zero bytes between a body of this size and the next block. */
export function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
