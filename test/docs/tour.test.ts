import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanEnvironment } from '../servers/clean-environment.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'mlferry-tour-'));
  const command = join(directory, 'mlferry');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/bin/mlferry.js" "$@"\n`);
  chmodSync(command, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Whether a line is among those printed, whatever stands for `…`; of spaces so many as there are. */
function isPrinted(wanted: string, printed: readonly string[]): boolean {
  const parts = wanted.split('…').map((part) =>
    part
      .trim()
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replace(/\s+/g, '\\s+'),
  );
  const pattern = new RegExp(`^\\s*${parts.join('.*')}\\s*$`);
  return printed.some((line) => pattern.test(line));
}

test('every command of docs/tour.md works as written, and prints what the page shows', async () => {
  const markdown = readFileSync(join(ROOT, 'docs/tour.md'), 'utf8').replaceAll(
    '/tmp/mlferry-tour',
    `${directory}/tour`,
  );
  const blocks = [...markdown.matchAll(/^```(sh|text)\n(.*?)^```$/gms)];
  expect(blocks.length).toBeGreaterThan(10);
  const environment = {
    ...cleanEnvironment(),
    PATH: `${directory}:${process.env.PATH}`,
    XDG_STATE_HOME: join(directory, 'state'),
    XDG_CONFIG_HOME: join(directory, 'config'),
  };
  let printed: string[] = [];
  const missing: string[] = [];
  for (const [, kind, text = ''] of blocks) {
    const lines = text.split('\n').filter((line) => line !== '');
    if (kind === 'text') missing.push(...lines.filter((line) => !isPrinted(line, printed)));
    else {
      // Rejects on any exit status but 0.
      const { stdout, stderr } = await run('sh', ['-ec', text], { cwd: ROOT, env: environment });
      printed = (stdout + stderr).split('\n');
    }
  }
  expect(missing).toEqual([]);
});
