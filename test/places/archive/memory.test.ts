import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';

const script = fileURLToPath(new URL('./large-run.ts', import.meta.url));
const measured = z.object({ seconds: z.number(), rss_mib: z.number() });

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'archive-memory-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function measure(...args: string[]): Promise<number> {
  // The semi-space is bounded so that a busy machine, which collects late, does not count as memory in use.
  const node = ['--max-semi-space-size=8', script, ...args];
  const { stdout } = await promisify(execFile)(process.execPath, node);
  return measured.parse(JSON.parse(stdout)).rss_mib;
}

describe('memory', () => {
  it.each([
    ['a run of 1,000,000 points, archive', 'points.tar', '1000000', '0'],
    ['a run of 1,000,000 points, stream', 'points.ndjson.zst', '1000000', '0'],
    ['an artifact of 400 MiB, archive', 'artifact.tar', '0', '400'],
    ['an artifact of 400 MiB, stream', 'artifact.ndjson', '0', '400'],
  ])(
    'stays below 256 MiB for %s',
    async (_name, file, points, mebibytes) => {
      for (const verb of ['write', 'read']) {
        expect(await measure(verb, join(dir, file), dir, points, mebibytes, 'noise')).toBeLessThan(256);
      }
    },
    300_000,
  );
});
