import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { shellQuote } from '../../src/cli/shell-quote.ts';
import { mlferry } from './mlferry.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-demo-test-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

it('the demo backs up, restores and verifies, and shows each command', async () => {
  const results = join(directory, 'results');
  const { err, out, status } = await mlferry(['demo', results], directory);
  expect(status).toBe(0);
  expect(err.match(/^\$ mlferry \w+/gm)).toEqual([
    '$ mlferry runs',
    '$ mlferry backup',
    '$ mlferry inspect',
    '$ mlferry restore',
    '$ mlferry restore',
    '$ mlferry verify',
  ]);
  expect(`${out}${err}`).toContain('3 unchanged');
  expect(`${out}${err}`).toContain('runs: 10 = same');
  expect((await readdir(results)).sort()).toEqual(['backup.tar', 'mlruns']);
  expect((await mlferry(['demo', results], directory)).status).toBe(8);
});

it('words are quoted as a shell reads them', () => {
  expect(['a/b.tar', '*', "it's", ''].map(shellQuote)).toEqual([
    'a/b.tar',
    "'*'",
    String.raw`'it'\''s'`,
    "''",
  ]);
});
