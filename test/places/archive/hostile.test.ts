import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { canonicalLine } from '../../../src/model/canonical.ts';
import type { ArtifactRecord, Header, WireRecord } from '../../../src/model/records.ts';
import { checkArchive } from '../../../src/places/archive/check-archive.ts';
import { indexLine } from '../../../src/places/archive/entry-names.ts';
import { openArchiveReader } from '../../../src/places/archive/reader.ts';
import { entryHeader } from '../../../src/places/archive/tar-header.ts';
import { createTally } from '../../../src/places/recorded/record-tally.ts';
import { makeExperiment, makeRun, readerOptions } from '../memory-workspace.ts';
import { memoryInput, smallArchive } from './small-archive.ts';

let dir: string;
let whole: Buffer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-hostile-'));
  whole = await smallArchive(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type TarHeader = Parameters<ReturnType<typeof pack>['entry']>[0];
type Entry = { header: TarHeader; body: Buffer };

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
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

const check = (bytes: Uint8Array) => checkArchive(memoryInput(bytes), 'x.tar', dir);
const ours = (name: string, body: Buffer): Entry => ({ header: entryHeader(name, body.length), body });
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const blob = (bytes: Buffer, suffix = '', stored = bytes): Entry => {
  const hash = hashOf(bytes);
  return ours(`blobs/sha256/${hash.slice(0, 2)}/${hash.slice(2)}${suffix}`, stored);
};

const header: Header = {
  kind: 'header',
  format: 'mlferry',
  version: 1,
  tool_version: '0.1.0',
  source: { kind: 'server', location: 'http://x', fingerprint: 'f' },
  selection: { experiments: [], runs: [], view: 'all' },
};

/** An archive with a right index and end for whatever is in it. */
async function archiveOf(
  blobs: readonly Entry[],
  records: readonly WireRecord[],
  parts?: Buffer[],
): Promise<Buffer> {
  const line = (record: unknown) => Buffer.from(`${JSON.stringify(record)}\n`);
  const manifest = line(header);
  const lines = records.map(line);
  const packed = parts ?? (lines.length === 0 ? [] : [zstdCompressSync(Buffer.concat(lines))]);
  const tally = createTally();
  for (const bytes of [manifest, ...lines]) tally.lines(bytes);
  for (const record of records) tally.record(record);
  const entries = [
    ours('manifest.json', manifest),
    ...blobs,
    ...packed.map((bytes, i) => ours(`records/${String(i + 1).padStart(6, '0')}.ndjson.zst`, bytes)),
  ];
  let offset = 0;
  const index = entries.map(({ header: { name }, body }) => {
    const text = indexLine({ name, size: body.length, sha256: hashOf(body), offset: offset + 512 });
    offset += 512 + Math.ceil(body.length / 512) * 512;
    return text;
  });
  index.push(`${canonicalLine(tally.end())}\n`);
  return tarOf([...entries, ours('index.ndjson', Buffer.from(index.join('')))]);
}

const artifact = (path: string, bytes: Buffer, size = bytes.length): ArtifactRecord => ({
  kind: 'artifact',
  run_id: '0'.repeat(32),
  path,
  size,
  sha256: hashOf(bytes),
});

describe('a hostile archive', () => {
  it.each<[string, TarHeader]>([
    ['..', { name: '../evil' }],
    ['.. inside', { name: 'blobs/../../evil' }],
    ['an absolute name', { name: '/etc/evil' }],
    ['a drive letter', { name: 'C:/evil' }],
    ['a backslash', { name: 'a\\..\\b' }],
    ['an unknown name', { name: 'evil' }],
    ['a symbolic link', { name: 'records/000001.ndjson.zst', type: 'symlink', linkname: '/etc/passwd' }],
    ['a hard link', { name: 'manifest.json', type: 'link', linkname: '/etc/passwd' }],
    ['a device', { name: 'manifest.json', type: 'character-device', devmajor: 1, devminor: 3 }],
    ['a directory', { name: 'records', type: 'directory' }],
    ['a pax name override', { name: 'manifest.json', pax: { path: '../evil' } }],
    ['a pax size override', { name: 'manifest.json', pax: { size: '999999999999' } }],
    ['another mode', { ...entryHeader('manifest.json', 0), mode: 0o4755 }],
    ['another owner', { ...entryHeader('manifest.json', 0), uid: 1000, uname: 'root' }],
    ['another time', { ...entryHeader('manifest.json', 0), mtime: new Date(1e12) }],
  ])('is refused with %s', async (_name, header_) => {
    await expect(check(await tarOf([{ header: header_, body: Buffer.alloc(0) }]))).rejects.toMatchObject({
      code: 'HOSTILE',
    });
    // The same behind a good archive's entries.
    const behind = Buffer.concat([
      whole.subarray(0, -1024),
      await tarOf([{ header: header_, body: Buffer.alloc(0) }]),
    ]);
    await expect(check(behind)).rejects.toMatchObject({ code: 'HOSTILE' });
  });

  it('is refused with an entry twice, out of order, or behind the index', async () => {
    const bytes = Buffer.from('bytes');
    const run = (await makeRun()).run;
    const records = [makeExperiment(), run, artifact('a', bytes)];
    await expect(check(await archiveOf([blob(bytes)], records))).resolves.toBeDefined();
    await expect(check(await archiveOf([blob(bytes), blob(bytes)], records))).rejects.toMatchObject({
      code: 'HOSTILE',
    });
    const [first = Buffer.alloc(0)] = [await archiveOf([], [])];
    const twice = Buffer.concat([first.subarray(0, -1024), first]);
    await expect(check(twice)).rejects.toMatchObject({ code: 'HOSTILE' });
  });

  it('is refused with sizes that are huge or lie', async () => {
    const huge = await tarOf([ours('manifest.json', Buffer.from('{}\n'))]);
    huge.write('77777777777 ', 124, 'latin1');
    await expect(check(huge)).rejects.toMatchObject({ meaning: { exit: 5 } });
    const bytes = Buffer.from('bytes');
    const records = [makeExperiment(), (await makeRun()).run, artifact('a', bytes, 6)];
    await expect(check(await archiveOf([blob(bytes)], records))).rejects.toMatchObject({ code: 'CORRUPT' });
  });

  it('is refused with bytes of no artifact, an artifact without bytes, and bytes of another hash', async () => {
    const bytes = Buffer.from('bytes');
    const records = [makeExperiment(), (await makeRun()).run];
    await expect(check(await archiveOf([blob(bytes)], records))).rejects.toMatchObject({ code: 'CORRUPT' });
    await expect(check(await archiveOf([], [...records, artifact('a', bytes)]))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
    const other = { ...blob(bytes), body: Buffer.from('bytez') };
    await expect(check(await archiveOf([other], [...records, artifact('a', bytes)]))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
  });

  it.each([
    '../x',
    '/x',
    'a/../../x',
    'C:/x',
    'a\\..\\..\\x',
    '\\\\host\\x',
    './x',
    'a//x',
    'a/',
    'nul\0x',
    '..',
    `${'d/'.repeat(10_000)}x`,
  ])('is refused with the artifact path %j', async (path) => {
    const bytes = Buffer.from('bytes');
    const records = [makeExperiment(), (await makeRun()).run, artifact(path, bytes)];
    await expect(check(await archiveOf([blob(bytes)], records))).rejects.toMatchObject({ code: 'HOSTILE' });
  });

  it('is refused when a part swells, is not whole lines, or has something behind it', async () => {
    const zeros = zstdCompressSync(Buffer.alloc(200 * 2 ** 20, ' '));
    await expect(check(await archiveOf([], [], [zeros]))).rejects.toMatchObject({ meaning: { exit: 5 } });
    const half = zstdCompressSync(Buffer.from(JSON.stringify(makeExperiment())));
    await expect(check(await archiveOf([], [], [half]))).rejects.toMatchObject({ meaning: { exit: 5 } });
    const more = Buffer.concat([
      zstdCompressSync(Buffer.from(`${JSON.stringify(makeExperiment())}\n`)),
      Buffer.from('x'),
    ]);
    await expect(check(await archiveOf([], [makeExperiment()], [more]))).rejects.toMatchObject({
      code: 'CORRUPT',
    });
  });

  it('is refused when it is a gzip bomb', async () => {
    const path = join(dir, 'bomb.tar.gz');
    // One gzip member after another is one gzip file: 2 GiB of zeros in 2 MB.
    const member = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
    await writeFile(path, Buffer.concat(Array.from({ length: 32 }, () => member)));
    const opened = openArchiveReader(
      { kind: 'archive', path, compression: 'gzip' },
      readerOptions(dir).options,
    );
    await expect(opened).rejects.toMatchObject({ code: 'HOSTILE' });
  });

  it('is refused with a newer format as such', async () => {
    const line = Buffer.from(
      `${JSON.stringify({ kind: 'header', format: 'mlferry', version: 2, new: true })}\n`,
    );
    await expect(check(await tarOf([ours('manifest.json', line)]))).rejects.toMatchObject({ code: 'FORMAT' });
  });
});
