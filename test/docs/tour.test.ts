import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesNotPrinted, ROOT } from './lines-not-printed.ts';

test('every command of docs/tour.md works as written, and prints what the page shows', async () => {
  const markdown = readFileSync(join(ROOT, 'docs/tour.md'), 'utf8');
  const { blocks, missing } = await linesNotPrinted(markdown, { '/tmp/mlferry-tour': 'DIRECTORY/tour' });
  expect(blocks).toBeGreaterThan(10);
  expect(missing).toEqual([]);
});
