import { MlferryError } from '../../util/errors.ts';
import type { Input } from '../record-files/input-file.ts';
import { BLOCK, checksumOf, paddingOf, tarHeader } from './tar-header.ts';

export type ReadableInput = Pick<Input, 'size' | 'read'>;

/** An entry of a tar: its body has `size` bytes from `offset`. */
export interface TarEntry {
  readonly name: string;
  readonly size: number;
  readonly offset: number;
}

/**
 * The entries of a tar in their order, strictly: each header must be, byte for byte, the one that our writer gives a
 * file of this name and size, the padding zero, and the end the end. So no link, device, extended header or second
 * meaning of a field gets through, and every bit outside the bodies is accounted for. Throws TRUNCATED, CORRUPT, HOSTILE.
 */
export async function* walkTar(input: ReadableInput, where: string): AsyncGenerator<TarEntry> {
  for (let at = 0; ; ) {
    const block = await readAll(input, at, at + BLOCK, where);
    if (isZero(block)) {
      if (at === 0) throw new MlferryError('CORRUPT', `${where} is an empty archive`);
      return await checkEnd(input, at, where);
    }
    const entry = await readEntry(block, at + BLOCK, where);
    const end = entry.offset + entry.size;
    if (end > input.size) throw cut(where);
    yield entry;
    const padding = await readAll(input, end, end + paddingOf(entry.size), where);
    if (!isZero(padding))
      throw new MlferryError('CORRUPT', `${where}: the padding behind ${entry.name} is not zero`);
    at = end + padding.length;
  }
}

async function readEntry(block: Buffer, offset: number, where: string): Promise<TarEntry> {
  const checksum = Number.parseInt(block.toString('latin1', 148, 154), 8);
  if (checksum !== checksumOf(block)) {
    throw new MlferryError(
      'CORRUPT',
      `${where}: the tar header at byte ${offset - BLOCK} is damaged, or this is no tar`,
    );
  }
  const name = block.toString('latin1', 0, 100).replace(/\0.*$/s, '');
  const size = sizeOf(block);
  if (size === undefined || !block.equals(await tarHeader(name, size))) {
    throw new MlferryError(
      'HOSTILE',
      `${where} has an entry ${JSON.stringify(name)} that is not as mlferry writes it`,
    );
  }
  return { name, size, offset };
}

/** Octal, or, from 8 GiB on, binary with the first bit set. */
function sizeOf(block: Buffer): number | undefined {
  const text = block.toString('latin1', 124, 135);
  const size = block[124] === 0x80 ? block.readUIntBE(130, 6) : Number.parseInt(text, 8);
  return Number.isSafeInteger(size) && size >= 0 ? size : undefined;
}

async function checkEnd(input: ReadableInput, at: number, where: string): Promise<void> {
  const second = await readAll(input, at + BLOCK, at + 2 * BLOCK, where);
  if (!isZero(second)) throw new MlferryError('CORRUPT', `${where} has an empty block among its entries`);
  if (input.size > at + 2 * BLOCK) throw new MlferryError('CORRUPT', `${where} has something behind its end`);
}

/** The bytes from `start` to `end`, whole. Throws TRUNCATED when the input has fewer. */
export async function readAll(
  input: ReadableInput,
  start: number,
  end: number,
  where: string,
): Promise<Buffer> {
  if (end > input.size) throw cut(where);
  const pieces: Uint8Array[] = [];
  for await (const piece of input.read(start, end)) pieces.push(piece);
  return Buffer.concat(pieces);
}

const cut = (where: string) =>
  new MlferryError('TRUNCATED', `${where} is cut: it ends after the beginning of an entry`);

const ZEROS = Buffer.alloc(BLOCK);
const isZero = (bytes: Uint8Array) => ZEROS.subarray(0, bytes.length).equals(bytes);
