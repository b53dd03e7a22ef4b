import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openArchiveWriter } from '../../src/places/archive/writer.ts';
import { openReader } from '../../src/places/open.ts';
import type { Reader } from '../../src/places/place.ts';
import { openStreamWriter } from '../../src/places/stream/writer.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { essenceOf } from '../contract/copies.ts';
import { archiveOf, endLineOf, mendChecksum, splitLines, takenApart } from './archive/forge.ts';
import { smallWorkspace } from './archive/small-archive.ts';
import { readerOptions, readWorkspace, testOptions, writeWorkspace } from './memory-workspace.ts';
import { lineMutations, mutated, mutatedLines, mutationsOf } from './mutations.ts';

/**
 * Whatever is done to an archive or a stream, it is either read as it was written or refused with exit status 5. Each
 * case goes through the door that the command line uses. MLFERRY_TEST_LONG: many more cases, other ones with
 * MLFERRY_TEST_SEED.
 */
const LONG = process.env.MLFERRY_TEST_LONG !== undefined;
const settings = (runs: number) => ({
  seed: Number(process.env.MLFERRY_TEST_SEED ?? 1),
  numRuns: LONG ? runs * 40 : runs,
});

let dir: string;
let archive: Buffer;
let stream: Buffer;
let whole: unknown;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-fuzz-'));
  const workspace = await smallWorkspace();
  const { options } = testOptions(dir, { artifactsDir: join(dir, 'artifacts') });
  const compression = 'none' as const;
  const tar = { path: join(dir, 'whole.tar'), compression };
  const lines = { path: join(dir, 'whole.ndjson'), compression };
  await writeWorkspace(workspace, await openArchiveWriter(tar, options));
  await writeWorkspace(workspace, await openStreamWriter(lines, options));
  archive = await readFile(tar.path);
  stream = await readFile(lines.path);
  whole = essenceOf(workspace);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Refusal {
  readonly code: string;
  readonly message: string;
}

/** What came of reading a file: all it holds, or the error with exit status 5, or 3 of one run. Anything else is thrown. */
async function read(name: string, bytes: Uint8Array): Promise<Refusal | { found: unknown }> {
  const path = join(dir, name);
  await writeFile(path, bytes);
  const { options } = readerOptions(dir, { artifactsDir: join(dir, 'artifacts') });
  let reader: Reader | undefined;
  try {
    reader = await openReader(path, options);
    return { found: essenceOf(await readWorkspace(reader)) };
  } catch (error) {
    await reader?.close();
    if (!(error instanceof MlferryError) || ![3, 5].includes(error.meaning.exit)) throw error;
    expect(error.message).not.toMatch(/[\n\r]/);
    expect(error.message.length).toBeLessThan(2500);
    return { code: error.code, message: error.message };
  }
}

const refused = expect.objectContaining({
  code: expect.stringMatching(/^(TRUNCATED|CORRUPT|HOSTILE|FORMAT|EDITED)$/),
});
/** A forged stream may also name bytes that the directory beside it does not have: that is an error of the run. */
const isNotStored = ({ code, message }: Refusal) =>
  /^(SOURCE_ITEM|SHORT_BODY)$/.test(code) && message.includes(join(dir, 'artifacts', 'sha256'));

describe.each<[string, string, () => Buffer, (bytes: Buffer) => Buffer]>([
  ['an archive', 'a.tar', () => archive, (bytes) => bytes],
  ['a gzip archive', 'b.tar.gz', () => archive, (bytes) => gzipSync(bytes)],
  ['a zstd archive', 'c.tar.zst', () => archive, (bytes) => zstdCompressSync(bytes)],
  ['a stream', 'a.ndjson', () => stream, (bytes) => bytes],
  ['a gzip stream', 'b.ndjson.gz', () => stream, (bytes) => gzipSync(bytes)],
  ['a zstd stream', 'c.ndjson.zst', () => stream, (bytes) => zstdCompressSync(bytes)],
])('%s', (_, name, original, pack) => {
  it('is read back whole', async () => {
    expect(await read(name, pack(original()))).toEqual({ found: whole });
  });

  it('is read as it was or refused, whatever was done to its bytes', async () => {
    const packed = pack(original());
    await fc.assert(
      fc.asyncProperty(mutationsOf(packed.length), async (mutations) => {
        const outcome = await read(name, mutated(packed, mutations));
        if ('found' in outcome) expect(outcome.found).toEqual(whole);
        else expect(outcome).toEqual(refused);
      }),
      settings(150),
    );
  });

  it('is read as it was or refused, whatever was done to its content before it was packed', async () => {
    if (pack(original()).equals(original())) return;
    await fc.assert(
      fc.asyncProperty(mutationsOf(original().length), async (mutations) => {
        const outcome = await read(name, pack(mutated(original(), mutations)));
        if ('found' in outcome) expect(outcome.found).toEqual(whole);
        else expect(outcome).toEqual(refused);
      }),
      settings(60),
    );
  });
});

describe('record lines with hashes that fit them', () => {
  it('are refused in an archive, or read without an error', async () => {
    const { blobs, lines } = takenApart(archive);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(lineMutations, async (mutations) => {
        const outcome = await read('lines.tar', await archiveOf(blobs, mutatedLines(lines, mutations)));
        if ('code' in outcome) expect(outcome).toEqual(refused);
        else accepted += 1;
      }),
      settings(400),
    );
    expect(accepted).toBeGreaterThan(5);
  });

  it('are refused in a stream, or read without an error', async () => {
    const lines = splitLines(stream).slice(0, -1);
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(lineMutations, async (mutations) => {
        const changed = mutatedLines(lines, mutations);
        const outcome = await read('lines.ndjson', Buffer.concat([...changed, endLineOf(changed)]));
        if ('code' in outcome && !isNotStored(outcome)) expect(outcome).toEqual(refused);
        else if (!('code' in outcome)) accepted += 1;
      }),
      settings(400),
    );
    expect(accepted).toBeGreaterThan(5);
  });
});

describe('tar headers with checksums that fit them', () => {
  it('are refused when a byte differs', async () => {
    const starts: number[] = [];
    for (let at = 0; archive[at] !== 0; ) {
      starts.push(at);
      const size = Number.parseInt(archive.toString('latin1', at + 124, at + 135), 8);
      at += 512 + Math.ceil(size / 512) * 512;
    }
    const changes = fc.array(
      fc.tuple(
        fc.nat({ max: 511 }),
        fc.oneof(fc.nat({ max: 255 }), fc.constantFrom(0, 0x20, 0x2f, 0x2e, 0x30, 0x37, 0x80, 0xff)),
      ),
      { minLength: 1, maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...starts), changes, async (start, bytes) => {
        const changed = Buffer.from(archive);
        for (const [at, byte] of bytes) changed[start + at] = byte;
        mendChecksum(changed, start);
        const outcome = await read('header.tar', changed);
        if (changed.equals(archive)) expect(outcome).toEqual({ found: whole });
        else expect(outcome).toEqual(refused);
      }),
      settings(500),
    );
  });
});
