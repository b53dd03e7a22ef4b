import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { essenceOf } from '../contract/copies.ts';
import { smallWorkspace } from './archive/small-archive.ts';
import { readerOptions, readWorkspace, testOptions, writeWorkspace } from './memory-workspace.ts';

/**
 * A file that is cut anywhere, or of which any bit is flipped, is refused with exit status 5 before the target has heard
 * anything. The target listens here and counts. With MLFERRY_TEST_LONG every byte and every bit; else a few hundred places
 * (damage.test.ts of the archive and of the stream has all of them, in memory).
 */
const LONG = process.env.MLFERRY_TEST_LONG !== undefined;
const MOST = LONG ? Number.POSITIVE_INFINITY : 250;

let dir: string;
let target: Server;
let url: string;
let connections = 0;
let whole: unknown;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-sweep-'));
  target = createServer((socket) => {
    connections += 1;
    socket.destroy();
  });
  target.listen(0, '127.0.0.1');
  await once(target, 'listening');
  const address = target.address();
  url = typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '';
  whole = essenceOf(await smallWorkspace());
});
afterAll(async () => {
  target.close();
  await rm(dir, { recursive: true, force: true });
});

const artifactsDir = () => join(dir, 'artifacts');

/** The code of the error with exit status 5, `whole` when the file says all it said before, or what is wrong. */
async function outcome(path: string, bytes: Uint8Array): Promise<string> {
  await writeFile(path, bytes);
  const before = connections;
  const environment = { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '0' };
  try {
    await copyBetween(path, url, { environment, tempDir: dir, artifactsDir: artifactsDir() });
  } catch (error) {
    if (!(error instanceof MlferryError)) return `not ours: ${String(error)}`;
    if (error.meaning.exit === 5) return connections === before ? error.code : 'sent a request first';
  }
  const { options } = readerOptions(dir, { artifactsDir: artifactsDir() });
  const found = essenceOf(await readWorkspace(await openReader(path, options)));
  return JSON.stringify(found) === JSON.stringify(whole) ? 'whole' : 'accepted as something else';
}

const strides = (length: number) => Math.max(1, Math.ceil(length / MOST));

describe.each(['a.tar', 'a.tar.gz', 'a.tar.zst', 'a.ndjson', 'a.ndjson.gz', 'a.ndjson.zst'])('%s', (name) => {
  let bytes: Buffer;
  beforeAll(async () => {
    const path = join(dir, `whole-${name}`);
    const { options } = testOptions(dir, { artifactsDir: artifactsDir() });
    await writeWorkspace(await smallWorkspace(), await openWriter(path, options));
    bytes = await readFile(path);
    expect(await outcome(path, bytes)).toBe('whole');
  });

  it('is refused when cut, and nothing is sent', async () => {
    const found = new Set<string>();
    for (let length = 0; length < bytes.length; length += strides(bytes.length))
      found.add(await outcome(join(dir, name), bytes.subarray(0, length)));
    expect([...found].filter((code) => code !== 'TRUNCATED' && code !== 'CORRUPT')).toEqual([]);
  });

  it('is refused when a bit is flipped, and nothing is sent', async () => {
    const good = /^(TRUNCATED|CORRUPT|HOSTILE|EDITED|FORMAT)$/;
    const wrong: string[] = [];
    const unpack = name.endsWith('.gz') ? gunzipSync : name.endsWith('.zst') ? zstdDecompressSync : undefined;
    const content = unpack?.(bytes);
    let unharmed = 0;
    // One bit of each byte, another one from byte to byte.
    const step = LONG ? 1 : 8 * strides(bytes.length) + 1;
    for (let bit = 0; bit < bytes.length * 8; bit += step) {
      const flipped = Buffer.from(bytes);
      flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
      const code = await outcome(join(dir, name), flipped);
      // Some bits of a compressed file say nothing of its content, like the time in a gzip header.
      if (code === 'whole' && content !== undefined && unpack?.(flipped).equals(content)) unharmed += 1;
      else if (!good.test(code)) wrong.push(`bit ${bit}: ${code}`);
    }
    expect(wrong).toEqual([]);
    // A gzip header has 7 bytes of them; all bits of all bytes were 82 at most when they were counted.
    const most = LONG ? 82 : name.endsWith('.gz') ? 7 * 8 : 16;
    expect(unharmed).toBeLessThanOrEqual(unpack === undefined ? 0 : most);
  });
});
