import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const SPY = `
  const { registerHooks } = await import('node:module');
  registerHooks({ load: (url, context, next) => (process.stderr.write('loaded ' + url + '\\n'), next(url, context)) });
  const { main } = await import(${JSON.stringify(join(import.meta.dirname, '../../src/cli/main.ts'))});
  await main(['node', 'mlferry', ...process.argv.slice(1)]);
`;

/** Packages that a command line loads. */
function packagesOf(...line: string[]): { packages: string[]; status: number | null } {
  const { stderr, status } = spawnSync(process.execPath, ['--input-type=module', '-e', SPY, '--', ...line], {
    encoding: 'utf8',
  });
  const names = stderr.matchAll(/^loaded .*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//gm);
  return { packages: [...new Set([...names].map(([, name = '']) => name))], status };
}

// What takes its time to load is not loaded for this: schemas, HTTP, YAML, archives.
test.each([
  [['--version'], 0],
  [['--help'], 0],
  [['runs', 'delete', '--help'], 0],
  [['copy', '--help'], 0],
  [['copy', '--nope'], 2],
  [['copy'], 2],
  [['nope'], 2],
])('%j loads the parser of command lines only', (line, status) => {
  expect(packagesOf(...line)).toEqual({ packages: ['commander'], status });
});
