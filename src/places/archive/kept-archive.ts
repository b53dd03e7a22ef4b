import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { MlferryError, systemCode } from '../../util/errors.ts';
import { readRange } from '../../util/read-range.ts';
import { MAX_LINE_BYTES } from '../../util/split-lines.ts';
import { decompress, INNER_WINDOW } from '../record-files/decompress.ts';
import { type KeptLines, readKeptLines } from '../record-files/kept-records.ts';
import { DATA, type PartialDirectory } from '../record-files/partial-directory.ts';
import type { CommitLine, EntryLine, PartialJournal, ReadLine } from '../record-files/partial-journal.ts';
import { entryKind } from './entry-names.ts';
import type { OpenPart } from './open-part.ts';
import { BLOCK, paddingOf, tarHeader } from './tar-header.ts';

/** What an earlier attempt left of an archive, checked, and all that is needed to go on behind it. */
export interface KeptArchive extends KeptLines<ArchiveCommit> {
  /** sha256 of the artifact bytes that are there. */
  readonly blobs: Set<string>;
  readonly parts: number;
  /** The lines that no part holds. */
  readonly open: Uint8Array;
}

/** A commit, and how many bytes the index lines of the entries before it have. */
interface ArchiveCommit extends ReadLine<CommitLine> {
  readonly indexLength: number;
}

interface Found {
  readonly commits: ArchiveCommit[];
  headerLength: number;
  /** Where each content ends in the tar. */
  readonly blobs: Map<string, number>;
  readonly parts: Array<{ entry: EntryLine; start: number; end: number; tarEnd: number }>;
}

const MOST_OF_PART = { bytes: MAX_LINE_BYTES, ratio: 0, windowLog: INNER_WINDOW };
const WHERE = 'The partial archive';

/**
 * Reads what an earlier attempt with the same key left, at most `limit` records of it. Every byte is checked: tar headers
 * and padding, the hash of each entry, of all lines at each commit. `undefined` when nothing can be gone on from.
 */
export async function readKeptArchive(
  partial: PartialDirectory,
  journal: PartialJournal,
  openPart: OpenPart,
  key: string,
  limit = Number.POSITIVE_INFINITY,
): Promise<KeptArchive | undefined> {
  const file = await openData(partial);
  if (file === undefined) return undefined;
  const found: Found = { commits: [], headerLength: 0, blobs: new Map(), parts: [] };
  try {
    const lines = checkedLines(file, journal, openPart, key, found);
    const hasBytes = async ({ sha256 }: { sha256?: string | undefined }) =>
      sha256 === undefined || found.blobs.has(sha256);
    const kept = await readKeptLines(lines, found.commits, hasBytes, limit);
    if (kept === undefined) return undefined;
    const { data, lines: length } = kept.commit.line;
    const parts = found.parts.filter(({ tarEnd }) => tarEnd <= data);
    const next = found.parts[parts.length];
    const start = parts.at(-1)?.end ?? found.headerLength;
    const from = next === undefined ? (await openPart.read())?.lines : partLines(file, next.entry);
    return {
      ...kept,
      blobs: new Set([...found.blobs].filter(([, end]) => end <= data).map(([sha256]) => sha256)),
      parts: parts.length,
      open: await firstBytes(from, length - start),
    };
  } finally {
    await file.close();
  }
}

async function openData(partial: PartialDirectory): Promise<FileHandle | undefined> {
  try {
    return await open(partial.file(DATA), 'r');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** All record lines, as far as the entries that hold them are what the journal says; fills `found` on the way. */
async function* checkedLines(
  file: FileHandle,
  journal: PartialJournal,
  openPart: OpenPart,
  key: string,
  found: Found,
): AsyncGenerator<Uint8Array> {
  let tarEnd = 0;
  let lines = 0;
  let indexLength = 0;
  let before = 0;
  let isOurs = false;
  for await (const { line, end } of journal.read()) {
    const lineLength = end - before;
    before = end;
    if (line.kind === 'job') isOurs = line.key === key;
    if (!isOurs) return;
    if (line.kind === 'commit') found.commits.push({ line, end, indexLength });
    if (line.kind !== 'entry') continue;
    if (line.offset !== tarEnd + BLOCK || !(await isWhole(file, line))) return;
    tarEnd = line.offset + line.size + paddingOf(line.size);
    indexLength += lineLength;
    const kind = entryKind(line.name);
    if (kind?.is === 'blob') found.blobs.set(kind.sha256, tarEnd);
    if (kind?.is !== 'part' && kind?.is !== 'manifest') continue;
    const start = lines;
    const stored = readRange(file, line.offset, line.offset + line.size, WHERE);
    for await (const piece of kind.is === 'part' ? partLines(file, line) : stored) {
      lines += piece.length;
      yield piece;
    }
    if (kind.is === 'manifest') found.headerLength = lines;
    else found.parts.push({ entry: line, start, end: lines, tarEnd });
  }
  const rest = await openPart.read();
  if (rest?.start === lines) yield* rest.lines;
  else await rest?.lines.return(undefined);
}

const partLines = (file: FileHandle, { offset, size, name }: EntryLine) =>
  decompress(readRange(file, offset, offset + size, WHERE), 'zstd', `${WHERE}: ${name}`, MOST_OF_PART);

/** Whether an entry stands there as the journal says: header, bytes, padding. */
async function isWhole(file: FileHandle, { name, size, sha256, offset }: EntryLine): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    const header = await firstBytes(readRange(file, offset - BLOCK, offset, WHERE), BLOCK);
    if (!header.equals(await tarHeader(name, size))) return false;
    for await (const piece of readRange(file, offset, offset + size, WHERE)) hash.update(piece);
    const end = offset + size;
    for await (const piece of readRange(file, end, end + paddingOf(size), WHERE)) {
      if (piece.some((byte) => byte !== 0)) return false;
    }
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'TRUNCATED') return false;
    throw error;
  }
  return hash.digest('hex') === sha256;
}

async function firstBytes(pieces: AsyncIterable<Uint8Array> | undefined, length: number): Promise<Buffer> {
  const all: Uint8Array[] = [];
  let rest = length;
  if (pieces !== undefined) {
    for await (const piece of pieces) {
      all.push(Buffer.from(piece.subarray(0, rest)));
      rest -= piece.length;
      if (rest <= 0) break;
    }
  }
  if (rest > 0) throw new MlferryError('BUG', `${WHERE} changed while it was being read`);
  return Buffer.concat(all);
}
