import { execFile } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { cleanEnvironment } from '../servers/clean-environment.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

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

/**
 * Runs each block of commands of a page in the checkout, and gives the lines of the block of text behind it that were not printed.
 * `as`: texts of the page and what stands for them, with `DIRECTORY` for one of the page's own. Rejects on any exit status but 0.
 */
export async function linesNotPrinted(
  markdown: string,
  as: Readonly<Record<string, string>> = {},
): Promise<{ blocks: number; missing: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'mlferry-page-'));
  const command = join(directory, 'mlferry');
  writeFileSync(command, `#!/bin/sh\nexec "${process.execPath}" "${ROOT}/bin/mlferry.js" "$@"\n`);
  chmodSync(command, 0o755);
  const page = Object.entries(as).reduce(
    (text, [from, to]) => text.replaceAll(from, to.replace('DIRECTORY', directory)),
    markdown,
  );
  const blocks = [...page.matchAll(/^```(sh|text)\n(.*?)^```$/gms)];
  const env = {
    ...cleanEnvironment(),
    PATH: `${directory}:${process.env.PATH}`,
    XDG_STATE_HOME: join(directory, 'state'),
    XDG_CONFIG_HOME: join(directory, 'config'),
  };
  let printed: string[] = [];
  const missing: string[] = [];
  try {
    for (const [, kind, text = ''] of blocks) {
      const lines = text.split('\n').filter((line) => line !== '');
      if (kind === 'text') missing.push(...lines.filter((line) => !isPrinted(line, printed)));
      else {
        const { stdout, stderr } = await run('sh', ['-ec', text], { cwd: ROOT, env });
        printed = (stdout + stderr).split('\n');
      }
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { blocks: blocks.length, missing };
}
