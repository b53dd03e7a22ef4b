import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesNotPrinted, ROOT } from './lines-not-printed.ts';

test('the examples of docs/look.md on the samples work as written, and print what the page shows', async () => {
  const markdown = readFileSync(join(ROOT, 'docs/look.md'), 'utf8');
  const sections = markdown.split(/^(?=## )/m).filter((part) => part.startsWith('## Try it'));
  const { blocks, missing } = await linesNotPrinted(sections.join(''), { '/tmp/mlferry-look': 'DIRECTORY' });
  expect(blocks).toBeGreaterThanOrEqual(4);
  expect(missing).toEqual([]);
});
