import { execFile } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createZstdCompress, gzipSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { Header } from '../../../src/kinds/wire-record.ts';
import { makeExperiment, makeRun } from '../memory-workspace.ts';
import { archiveOf, type Entry, ours, sealed, tarOf } from './forge.ts';

const script = fileURLToPath(new URL('./open-in-little-memory.ts', import.meta.url));
const outcome = z.object({ code: z.string(), exit: z.int(), message: z.string(), rss_mib: z.number() });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-bombs-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Opens a file in a process that has so many MiB for all its objects. */
async function open(name: string, pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, mebibytes = 100) {
  const path = join(dir, name);
  await pipeline(Readable.from(pieces, { objectMode: false }), createWriteStream(path));
  const node = [`--max-old-space-size=${mebibytes}`, '--max-semi-space-size=8', script, path];
  const { stdout } = await promisify(execFile)(process.execPath, node, {
    env: { ...process.env, TMPDIR: dir },
  });
  return outcome.parse(JSON.parse(stdout));
}

const header: Header = {
  kind: 'header',
  format: 'mlferry',
  version: 1,
  tool_version: '0.1.0',
  source: { kind: 'server', location: 'http://x', fingerprint: 'f' },
  selection: { experiments: [], runs: [], view: 'all' },
};
const line = (record: unknown) => Buffer.from(`${JSON.stringify(record)}\n`);
const headerLine = line(header);
const experimentLine = line(makeExperiment());
const runLine = async () => line((await makeRun()).run);

/** An archive whose parts hold these lines, so many a part; their hashes are never reached. */
async function archiveOfParts(parts: Iterable<Buffer>): Promise<Buffer> {
  const entries: Entry[] = [ours('manifest.json', headerLine)];
  for (const part of parts)
    entries.push(ours(`records/${String(entries.length).padStart(6, '0')}.ndjson.zst`, part));
  return sealed(entries, line({ kind: 'end' }));
}

/** Lines made by a function, packed some a part. */
function* packed(first: readonly Buffer[], count: number, each: number, make: (n: number) => unknown) {
  for (let start = 0; start < count; start += each) {
    const lines = Array.from({ length: Math.min(each, count - start) }, (_, i) => line(make(start + i)));
    yield zstdCompressSync(Buffer.concat([...(start === 0 ? first : []), ...lines]));
  }
}

function* once(...pieces: Uint8Array[]) {
  yield* pieces;
}

const PAD = 'x'.repeat(3900);
const run_id = '0'.repeat(32);

describe('a bomb is refused with exit status 5 in little memory:', () => {
  const expectRefusal = async (
    opened: ReturnType<typeof open>,
    code: string | RegExp = /^(HOSTILE|CORRUPT)$/,
  ) => {
    const found = await opened;
    expect(found).toMatchObject({ exit: 5, code: expect.stringMatching(code) });
    expect(found.message).not.toContain('\n');
    expect(found.rss_mib).toBeLessThan(500);
  };

  it('1,000,000 empty entries', async () => {
    const start = (await tarOf([ours('manifest.json', headerLine)])).subarray(0, -1024);
    const one = (await tarOf([ours('blobs/x', Buffer.alloc(0))])).subarray(0, 512);
    // One gzip member after another is one gzip file.
    const thousand = gzipSync(Buffer.concat(Array.from({ length: 1000 }, () => one)));
    const many = Array.from({ length: 1000 }, () => thousand);
    await expectRefusal(open('entries.tar.gz', once(gzipSync(start), ...many)), /^HOSTILE$/);
  });

  it('artifact paths of 4 kB that cost nothing to send', async () => {
    const start = [experimentLine, await runLine()];
    const make = (n: number) => ({ kind: 'artifact', run_id, path: `${PAD}${n}`, size: 0 });
    await expectRefusal(
      open('paths.tar', once(await archiveOfParts(packed(start, 12_000, 6000, make)))),
      /^HOSTILE$/,
    );
  });

  it('metric keys of many megabytes', async () => {
    const start = [experimentLine, await runLine()];
    const long = 'x'.repeat(10 * 2 ** 20);
    const make = (n: number) => ({ kind: 'metrics', run_id, key: `${long}${n}`, points: [[0, 0, 0]] });
    await expectRefusal(open('keys.tar', once(await archiveOfParts(packed(start, 8, 1, make)))), /^HOSTILE$/);
  });

  it('runs without end', async () => {
    const { run } = await makeRun();
    const make = (n: number) => ({ ...run, run_id: String(n) });
    await expectRefusal(
      open('runs.tar', once(await archiveOfParts(packed([experimentLine], 150_000, 50_000, make)))),
      /^HOSTILE$/,
    );
  });

  it('experiments with tags of many megabytes', async () => {
    const note = 'x'.repeat(10 * 2 ** 20);
    const make = (n: number) => ({ ...makeExperiment({ experiment_id: String(n) }), tags: { note } });
    await expectRefusal(open('tags.tar', once(await archiveOfParts(packed([], 8, 1, make)))), /^HOSTILE$/);
  });

  it('a line without end', async () => {
    const many = function* () {
      yield headerLine;
      yield Buffer.from('{"kind":"experiment","name":"');
      const piece = Buffer.alloc(2 ** 20, 'x');
      for (let i = 0; i < 200; i += 1) yield piece;
    };
    await expectRefusal(open('line.ndjson', many(), 256), /^CORRUPT$/);
    await expectRefusal(open('line.ndjson.zst', Readable.from(many()).pipe(createZstdCompress()), 256));
  });

  it('a line of 60 MB nested to its end, and one of a million keys', async () => {
    const deep = Buffer.concat([
      Buffer.from('{"kind":"run","params":'),
      Buffer.alloc(30e6, '['),
      Buffer.alloc(30e6, ']'),
      Buffer.from('}\n'),
    ]);
    await expectRefusal(open('deep.ndjson', once(headerLine, deep), 256), /^CORRUPT$/);
    const nested = `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`;
    await expectRefusal(
      open('nested.ndjson', once(headerLine, Buffer.from(`${nested}\n`)), 256),
      /^CORRUPT$/,
    );
    const keys = Array.from({ length: 1_500_000 }, (_, i) => `"k${i}":""`).join();
    const wide = Buffer.from(`{"kind":"run","params":{${keys}}}\n`);
    await expectRefusal(open('wide.ndjson', once(headerLine, wide), 256), /^CORRUPT$/);
  });

  it('gzip within gzip, and parts that unpack to gigabytes', async () => {
    const zeros = Buffer.alloc(16 * 2 ** 20);
    const inner = gzipSync(gzipSync(zeros));
    await expectRefusal(open('nested.tar.gz', once(inner)), /^CORRUPT$/);
    const part = zstdCompressSync(Buffer.alloc(128 * 2 ** 20, ' '));
    await expectRefusal(open('part.tar', once(await archiveOfParts([part]))), /^HOSTILE$/);
  });

  it('a blob that unpacks to 512 MiB and belongs to nothing', async () => {
    const path = `blobs/sha256/ab/${'c'.repeat(62)}.zst`;
    const chunks = Readable.from(
      (function* () {
        const piece = Buffer.alloc(2 ** 20);
        for (let i = 0; i < 512; i += 1) yield piece;
      })(),
    );
    const body = Buffer.concat(await chunks.pipe(createZstdCompress()).toArray());
    const bytes = await sealed([ours('manifest.json', headerLine), ours(path, body)], line({ kind: 'end' }));
    await expectRefusal(open('blob.tar', once(bytes)), /^CORRUPT$/);
  });
});

it('50,000 runs in one archive are read in the same memory', async () => {
  const { run } = await makeRun();
  const lines = Array.from({ length: 50_000 }, (_, n) => line({ ...run, run_id: String(n) }));
  const bytes = await archiveOf([], [headerLine, experimentLine, ...lines]);
  expect(await open('large.tar', once(bytes))).toMatchObject({ code: 'accepted' });
});
