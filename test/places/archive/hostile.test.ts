import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Header, WireRecord } from '../../../src/kinds/wire-record.ts';
import type { ArtifactRecord } from '../../../src/model/records.ts';
import { checkArchive } from '../../../src/places/archive/check-archive.ts';
import { openArchiveReader } from '../../../src/places/archive/reader.ts';
import { entryHeader } from '../../../src/places/archive/tar-header.ts';
import { makeExperiment, makeRun, readerOptions } from '../memory-workspace.ts';
import { blob, type Entry, archiveOf as forge, ours, type TarHeader, tarOf } from './forge.ts';
import { memoryInput, smallArchive } from './small-archive.ts';

let dir: string;
let whole: Buffer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-hostile-'));
  whole = await smallArchive(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const check = (bytes: Uint8Array) => checkArchive(memoryInput(bytes), 'x.tar', dir);
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const header: Header = {
  kind: 'header',
  format: 'mlferry',
  version: 1,
  tool_version: '0.1.0',
  source: { kind: 'server', location: 'http://x', fingerprint: 'f' },
  selection: { experiments: [], runs: [], view: 'all' },
};

/** An archive of these records behind the usual header. */
const archiveOf = (blobs: readonly Entry[], records: readonly WireRecord[], parts?: Buffer[]) =>
  forge(
    blobs,
    [header, ...records].map((record) => Buffer.from(`${JSON.stringify(record)}\n`)),
    parts,
  );

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
    // One gzip member after another is one gzip file: 512 MiB of zeros in 500 kB.
    const member = gzipSync(Buffer.alloc(64 * 2 ** 20), { level: 9 });
    await writeFile(path, Buffer.concat(Array.from({ length: 8 }, () => member)));
    const opened = openArchiveReader({ path, compression: 'gzip' }, readerOptions(dir).options);
    await expect(opened).rejects.toMatchObject({ code: 'HOSTILE' });
  });

  it('is refused with a newer format as such', async () => {
    const line = Buffer.from(
      `${JSON.stringify({ kind: 'header', format: 'mlferry', version: 99, new: true })}\n`,
    );
    await expect(check(await tarOf([ours('manifest.json', line)]))).rejects.toMatchObject({ code: 'FORMAT' });
  });
});
