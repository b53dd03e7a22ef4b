import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkArchive } from '../../../src/places/archive/check-archive.ts';
import { openArchiveReader } from '../../../src/places/archive/reader.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import { readerOptions } from '../memory-workspace.ts';
import { memoryInput, smallArchive } from './small-archive.ts';

let dir: string;
let whole: Buffer;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-damage-'));
  whole = await smallArchive(dir);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** What comes of a check: `accepted`, the code of an error with exit status 5, or whatever else happened. */
async function outcome(bytes: Uint8Array): Promise<string> {
  try {
    await checkArchive(memoryInput(bytes), 'x.tar', dir);
    return 'accepted';
  } catch (error) {
    return error instanceof MlferryError && error.meaning.exit === 5
      ? error.code
      : `not ours: ${String(error)}`;
  }
}

function flipped(bytes: Buffer, bit: number): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

/** `MLFERRY_TEST_LONG=1`: every byte and bit. Otherwise steps that meet every place of a block of 512 bytes, as blocks pass. */
const every = process.env.MLFERRY_TEST_LONG === '1';

/** A file of which the last block was begun, or is about to end: where a check may mistake one block for another. */
const isNearBlock = (length: number) => length % 512 < 3 || length % 512 > 509;

describe('a damaged archive', () => {
  it('is whole to begin with', async () => {
    expect(await outcome(whole)).toBe('accepted');
  });

  it('is refused when cut at any byte', async () => {
    const wrong: string[] = [];
    for (let length = 0; length < whole.length; length++) {
      if (!every && length % 7 !== 0 && !isNearBlock(length)) continue;
      const found = await outcome(whole.subarray(0, length));
      if (found !== 'TRUNCATED' && found !== 'CORRUPT') wrong.push(`${length}: ${found}`);
    }
    expect(wrong).toEqual([]);
  });

  it('is refused when any bit is flipped', async () => {
    const wrong: string[] = [];
    for (let bit = 0; bit < whole.length * 8; bit++) {
      if (!every && bit % 27 !== 0) continue;
      const found = await outcome(flipped(whole, bit));
      if (!['TRUNCATED', 'CORRUPT', 'HOSTILE', 'FORMAT'].includes(found)) wrong.push(`bit ${bit}: ${found}`);
    }
    expect(wrong).toEqual([]);
  }, 600_000);

  it('is refused whatever was cut out, doubled, swapped or overwritten', async () => {
    const at = fc.nat({ max: whole.length });
    await fc.assert(
      fc.asyncProperty(
        at,
        at,
        at,
        fc.constantFrom(1, 512),
        fc.uint8Array({ maxLength: 600 }),
        async (a, b, c, unit, junk) => {
          const [i = 0, j = 0, k = 0] = [a, b, c].map((n) => n - (n % unit)).sort((x, y) => x - y);
          const changed = [
            Buffer.concat([whole.subarray(0, i), whole.subarray(j)]),
            Buffer.concat([whole.subarray(0, j), whole.subarray(i)]),
            Buffer.concat([
              whole.subarray(0, i),
              whole.subarray(j, k),
              whole.subarray(i, j),
              whole.subarray(k),
            ]),
            Buffer.concat([whole.subarray(0, i), junk, whole.subarray(i)]),
            Buffer.concat([whole.subarray(0, i), junk, whole.subarray(i + junk.length)]),
          ].filter((bytes) => !bytes.equals(whole));
          for (const bytes of changed)
            expect(await outcome(bytes)).toMatch(/^(TRUNCATED|CORRUPT|HOSTILE|FORMAT)$/);
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['.tar', (bytes: Buffer) => bytes],
    ['.tar.gz', (bytes: Buffer) => gzipSync(bytes)],
    ['.tar.zst', (bytes: Buffer) => zstdCompressSync(bytes)],
  ])('is refused as a file %s when cut', async (suffix, pack) => {
    const bytes = pack(whole);
    const path = join(dir, `cut${suffix}`);
    for (let length = 0; length < bytes.length; length += Math.ceil(bytes.length / 60)) {
      await writeFile(path, bytes.subarray(0, length));
      const opened = openArchiveReader({ path, compression: 'none' }, readerOptions(dir).options);
      await expect(opened).rejects.toMatchObject({ name: 'MlferryError', meaning: { exit: 5 } });
    }
  });
});
