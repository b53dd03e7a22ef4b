import { once } from 'node:events';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { entryHeader, tarHeader } from '../../../src/places/archive/tar-header.ts';

async function packed(name: string, size: number): Promise<unknown> {
  const tar = pack();
  tar.on('error', () => undefined);
  tar.entry(entryHeader(name, size)).on('error', () => undefined);
  const [block]: unknown[] = await once(tar, 'data');
  tar.destroy();
  return block;
}

describe('the header of an entry', () => {
  it('is what tar-stream writes', async () => {
    const name = fc.oneof(
      fc.constantFrom('manifest.json', 'records/000001.ndjson.zst', 'ü', 'a'.repeat(100), 'a/'.repeat(60)),
      fc.string({ minLength: 1, maxLength: 120 }),
    );
    const size = fc.oneof(fc.nat(), fc.constantFrom(0, 8 ** 11 - 1, 8 ** 11, 2 ** 40));
    await fc.assert(
      fc.asyncProperty(name, size, async (name, size) => {
        expect(Buffer.from(await tarHeader(name, size))).toEqual(await packed(name, size));
      }),
    );
  });
});
