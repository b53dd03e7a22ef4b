import { createHash } from 'node:crypto';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { FORMAT_VERSION } from '../../../src/kinds/kinds.ts';
import { canonicalLine, parseRecord } from '../../../src/kinds/wire-record.ts';
import { indexLine } from '../../../src/places/archive/entry-names.ts';
import { entryHeader } from '../../../src/places/archive/tar-header.ts';
import { createTally } from '../../../src/places/record-files/record-tally.ts';

/** Makes archives that mlferry would not: any entries, but with hashes, index and end record that fit them. */

export type TarHeader = Parameters<ReturnType<typeof pack>['entry']>[0];
export interface Entry {
  readonly header: TarHeader;
  readonly body: Buffer;
}

const BLOCK = 512;
const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A tar of any entries. */
export async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { header, body } of entries) {
    const sink = tar.entry({ ...header, size: header.size ?? body.length });
    sink.on('error', () => undefined);
    sink.end(body);
  }
  tar.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of tar) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** An entry as mlferry writes it. */
export const ours = (name: string, body: Buffer): Entry => ({
  header: entryHeader(name, body.length),
  body,
});

/** The entry of an artifact's bytes; `stored` is what stands there instead, when it is another thing. */
export function blob(bytes: Buffer, suffix = '', stored = bytes): Entry {
  const hash = hashOf(bytes);
  return ours(`blobs/sha256/${hash.slice(0, 2)}/${hash.slice(2)}${suffix}`, stored);
}

/** The end record of these lines; those that are no records count as nothing. */
export function endLineOf(lines: readonly Buffer[]): Buffer {
  const tally = createTally();
  for (const line of lines) {
    tally.lines(line);
    const { record } = parseRecord(parsed(line), FORMAT_VERSION);
    if (record !== undefined) tally.record(record);
  }
  return Buffer.from(`${canonicalLine(tally.end())}\n`);
}

function parsed(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString());
  } catch {
    return undefined;
  }
}

/** An archive whose index and end record fit whatever is in it. `lines` begin with the header and lack the end. */
export function archiveOf(
  blobs: readonly Entry[],
  lines: readonly Buffer[],
  parts: readonly Buffer[] = lines.length > 1 ? [zstdCompressSync(Buffer.concat(lines.slice(1)))] : [],
): Promise<Buffer> {
  return sealed(
    [
      ours('manifest.json', lines[0] ?? Buffer.alloc(0)),
      ...blobs,
      ...parts.map((bytes, i) => ours(`records/${String(i + 1).padStart(6, '0')}.ndjson.zst`, bytes)),
    ],
    endLineOf(lines),
  );
}

/** Entries with an index that fits them. */
export function sealed(entries: readonly Entry[], endLine: Buffer): Promise<Buffer> {
  let offset = 0;
  const index = entries.map(({ header: { name }, body }) => {
    const text = indexLine({ name, size: body.length, sha256: hashOf(body), offset: offset + BLOCK });
    offset += BLOCK + Math.ceil(body.length / BLOCK) * BLOCK;
    return text;
  });
  return tarOf([...entries, ours('index.ndjson', Buffer.concat([Buffer.from(index.join('')), endLine]))]);
}

/** The entries of a tar that mlferry wrote, and the record lines in them (header first, without the end). */
export function takenApart(archive: Buffer): { entries: Entry[]; blobs: Entry[]; lines: Buffer[] } {
  const entries: Entry[] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const name = archive.toString('latin1', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
    const body = archive.subarray(at + BLOCK, at + BLOCK + size);
    entries.push(ours(name, body));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  const text = entries.flatMap(({ header, body }) => {
    if (header.name === 'manifest.json') return [body];
    return header.name.startsWith('records/') ? [zstdDecompressSync(body)] : [];
  });
  return {
    entries,
    blobs: entries.filter(({ header }) => header.name.startsWith('blobs/')),
    lines: splitLines(Buffer.concat(text)),
  };
}

/** Lines with their line ends. */
export function splitLines(bytes: Buffer): Buffer[] {
  return (bytes.toString('latin1').match(/[^\n]*\n/g) ?? []).map((line) => Buffer.from(line, 'latin1'));
}

/** Writes the checksum anew into the tar header that begins at `at`. */
export function mendChecksum(archive: Buffer, at: number): void {
  archive.fill(' ', at + 148, at + 156);
  const sum = archive.subarray(at, at + BLOCK).reduce((total, byte) => total + byte, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
}
