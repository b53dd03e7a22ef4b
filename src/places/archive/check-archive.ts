import { createHash, type Hash } from 'node:crypto';
import type { FileRecord } from '../../kinds/wire-record.ts';
import { type ByteSpool, createByteSpool } from '../../util/byte-spool.ts';
import { MlferryError } from '../../util/errors.ts';
import { MAX_LINE_BYTES } from '../../util/split-lines.ts';
import { decompress, decompressSmall, INNER_WINDOW, isSmall } from '../record-files/decompress.ts';
import { inOrder } from '../record-files/in-order-input.ts';
import type { Input } from '../record-files/input-file.ts';
import { createMemoryBudget, type MemoryBudget } from '../record-files/memory-budget.ts';
import { indexRecords, type RecordIndex } from '../record-files/record-index.ts';
import { decodeRecords } from '../record-files/record-lines.ts';
import { entryKind, indexLine, partName } from './entry-names.ts';
import { PART_ROOM } from './part-writer.ts';
import { type ReadableInput, readAll, type TarEntry, walkTar } from './walk-tar.ts';

/** Bytes of memory that an entry takes: its name, its place, its blob's hash in two maps. */
const ENTRY_COST = 700;

/** Where a part of the record lines stands: its lines are those from byte `start` to `end` of all record lines. */
export interface Part {
  readonly start: number;
  readonly end: number;
  readonly entry: TarEntry;
}

/** Where the bytes of an artifact stand. */
export interface StoredBlob {
  readonly entry: TarEntry;
  readonly compressed: boolean;
  /** Bytes once decompressed. */
  readonly size: number;
}

/** What a checked archive holds. */
export interface CheckedArchive {
  readonly index: RecordIndex;
  readonly parts: readonly Part[];
  readonly blobs: ReadonlyMap<string, StoredBlob>;
}

/** A part may hold one line of the greatest length; nothing more is ever decompressed of it. */
const MOST_OF_PART = { bytes: MAX_LINE_BYTES, ratio: 0, windowLog: INNER_WINDOW, piece: PART_ROOM };
/** A blob goes nowhere but through its hash; its size is compared with that of its artifact. */
const MOST_OF_BLOB = { bytes: Number.POSITIVE_INFINITY, ratio: 0, windowLog: INNER_WINDOW };

/**
 * Reads an archive once from its first to its last byte and checks all: names, order, headers, hashes of what is
 * stored and of what it contains, the index, every record line, that each artifact has its bytes and each blob an
 * artifact. Memory grows with the number of runs and blobs only. Throws TRUNCATED, CORRUPT, HOSTILE, FORMAT.
 */
export async function checkArchive(input: Input, where: string, tempDir: string): Promise<CheckedArchive> {
  const parts: Part[] = [];
  const blobs = new Map<string, StoredBlob>();
  const unused = new Set<string>();
  const expected = createByteSpool(tempDir);
  try {
    const budget = createMemoryBudget(where);
    const lines = recordBytes(inOrder(input), where, { parts, blobs, unused, expected, budget });
    const checkBlob = ({ path, size, sha256 }: FileRecord) => {
      if (sha256 === undefined) return undefined;
      const blob = blobs.get(sha256);
      unused.delete(sha256);
      if (blob === undefined)
        return `has the artifact ${JSON.stringify(path)}, whose bytes are not in the archive`;
      return blob.size === size
        ? undefined
        : `has the artifact ${JSON.stringify(path)} with another size than its bytes`;
    };
    const index = await indexRecords(decodeRecords(lines, where), where, checkBlob, budget);
    if (!index.vouched)
      throw new MlferryError('CORRUPT', `The end record of ${where} does not fit its lines`);
    const [stray] = unused;
    if (stray !== undefined)
      throw new MlferryError('CORRUPT', `${where} has bytes that belong to no artifact: ${stray}`);
    return { index, parts, blobs };
  } finally {
    await expected.remove();
  }
}

/** All record lines of an archive; on the way it checks the entries and fills `found`. */
async function* recordBytes(
  input: ReadableInput,
  where: string,
  found: {
    parts: Part[];
    blobs: Map<string, StoredBlob>;
    unused: Set<string>;
    expected: ByteSpool;
    budget: MemoryBudget;
  },
): AsyncGenerator<Uint8Array> {
  const { parts, blobs, unused, expected, budget } = found;
  let entries = 0;
  let length = 0;
  let ended = false;
  for await (const entry of walkTar(input, where)) {
    const kind = entryKind(entry.name);
    const misplaced = () =>
      new MlferryError(
        'HOSTILE',
        `${where} has the entry ${JSON.stringify(entry.name)}, which does not belong there`,
      );
    if (kind === undefined || ended || (kind.is === 'manifest') !== (entries === 0)) throw misplaced();
    entries += 1;
    budget.hold(ENTRY_COST);
    const name = `${where}: ${entry.name}`;
    const stored = createHash('sha256');
    const body = hashing(input.read(entry.offset, entry.offset + entry.size), stored);
    if (kind.is === 'index') {
      ended = true;
      yield* endLine(input, entry, expected, where);
      continue;
    }
    if (kind.is === 'blob') {
      if (blobs.has(kind.sha256)) throw misplaced();
      const size = kind.compressed
        ? await unpackedSize(body, entry.size, kind.sha256, name)
        : await drain(body);
      if (!kind.compressed && stored.copy().digest('hex') !== kind.sha256) throw notItsName(name);
      blobs.set(kind.sha256, { entry, compressed: kind.compressed, size });
      unused.add(kind.sha256);
    } else {
      const start = length;
      const lines = kind.is === 'part' ? decompress(body, 'zstd', name, MOST_OF_PART) : body;
      if (kind.is === 'part' && entry.name !== partName(parts.length + 1)) throw misplaced();
      let last: number | undefined;
      for await (const piece of lines) {
        yield piece;
        length += piece.length;
        last = piece.at(-1) ?? last;
      }
      if (last !== 0x0a) throw new MlferryError('CORRUPT', `${name} does not end with a whole line`);
      if (kind.is === 'part') parts.push({ start, end: length, entry });
    }
    await expected.append(Buffer.from(indexLine({ ...entry, sha256: stored.digest('hex') })));
  }
  if (!ended) throw new MlferryError('TRUNCATED', `${where} has no index: its end is missing`);
}

/** Checks a compressed blob and tells its true size. */
async function unpackedSize(
  body: AsyncIterable<Uint8Array>,
  stored: number,
  sha256: string,
  name: string,
): Promise<number> {
  const content = createHash('sha256');
  const size = await drain(hashing(unpacked(body, stored, name), content));
  if (content.digest('hex') !== sha256) throw notItsName(name);
  return size;
}

/** `stored`: bytes of the body. */
async function* unpacked(
  body: AsyncIterable<Uint8Array>,
  stored: number,
  name: string,
): AsyncGenerator<Uint8Array> {
  const pieces: Uint8Array[] = [];
  if (isSmall(stored)) for await (const piece of body) pieces.push(piece);
  const [first] = pieces;
  const small = pieces.length === 1 && first !== undefined ? decompressSmall(first, MOST_OF_BLOB) : undefined;
  if (small !== undefined) yield small;
  else yield* decompress(isSmall(stored) ? each(pieces) : body, 'zstd', name, MOST_OF_BLOB);
}

async function* each(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

const notItsName = (name: string) =>
  new MlferryError('CORRUPT', `${name} does not have the sha256 of its name`);

async function drain(body: AsyncIterable<Uint8Array>): Promise<number> {
  let size = 0;
  for await (const piece of body) size += piece.length;
  return size;
}

/** Checks that the index says what was found, and gives the end line behind it. */
async function* endLine(
  input: ReadableInput,
  entry: TarEntry,
  expected: ByteSpool,
  where: string,
): AsyncGenerator<Uint8Array> {
  const length = expected.length();
  const damaged = new MlferryError(
    'CORRUPT',
    `${where}: the index does not fit the entries: one or the other is damaged`,
  );
  if (entry.size < length || entry.size > length + 4096) throw damaged;
  let offset = entry.offset;
  for await (const piece of expected.read(0, length)) {
    const found = await readAll(input, offset, offset + piece.length, where);
    if (!found.equals(piece)) throw damaged;
    offset += piece.length;
  }
  yield await readAll(input, offset, entry.offset + entry.size, where);
}

async function* hashing(chunks: AsyncIterable<Uint8Array>, hash: Hash): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}
