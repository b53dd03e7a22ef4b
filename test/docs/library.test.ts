import { spawnSync } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXAMPLES = join(ROOT, 'samples/library');

let directory = '';
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-library-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const example = (name: string, ...args: string[]) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(EXAMPLES, name), ...args], {
    cwd: ROOT,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, TMPDIR: directory },
  });
  return { stdout, status, error: status === 0 ? '' : stderr };
};

/** What TypeScript says of some files with the strictest options, the package's declarations checked too. */
async function compile(options: object) {
  const config = join(directory, 'tsconfig.json');
  const compilerOptions = {
    ...{ module: 'nodenext', target: 'es2024', strict: true, noEmit: true, skipLibCheck: false },
    ...{ types: ['node'], typeRoots: [join(ROOT, 'node_modules/@types')] },
    paths: { mlferry: [join(ROOT, 'dist/index.d.ts')] },
    ...options,
  };
  await writeFile(
    config,
    JSON.stringify({
      compilerOptions,
      files: [...(await examples()).map((name) => join(EXAMPLES, name)), ...(await blocks())],
    }),
  );
  const { stdout, status } = spawnSync(
    process.execPath,
    [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', config],
    {
      encoding: 'utf8',
    },
  );
  return { stdout, status };
}
/** The programs in README.md and docs/, each in a file. */
async function blocks(): Promise<string[]> {
  const pages = ['README.md', ...(await readdir(join(ROOT, 'docs'))).map((name) => `docs/${name}`)];
  const programs: string[] = [];
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const markdown = await readFile(join(ROOT, page), 'utf8');
    for (const [, text = ''] of markdown.matchAll(/^```ts\n(.*?)^```$/gms)) programs.push(text);
  }
  const files = programs.map((_, index) => join(directory, `program-${index}.mts`));
  for (const [index, text] of programs.entries()) await writeFile(files[index] ?? '', text);
  return files;
}
const examples = async () => (await readdir(EXAMPLES)).filter((name) => name.endsWith('.ts'));

describe('the package as a library', () => {
  it.each([
    {},
    { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, verbatimModuleSyntax: true },
  ])(
    'compiles with its declarations, its examples and those of the documentation, with %j',
    async (options) => {
      expect(await compile(options)).toEqual({ stdout: '', status: 0 });
    },
  );

  it('has no source maps without their sources', async () => {
    expect(await readFile(join(ROOT, 'dist/index.js'), 'utf8')).not.toContain('sourceMappingURL');
  });
});

describe('samples/library/', () => {
  it('copy.ts', () => {
    const copied = example('copy.ts', 'samples/mlruns', join(directory, 'copied.tar'));
    expect(copied).toEqual({ stdout: '\n4 runs, 296 points, 0 losses\nthe same\n', status: 0, error: '' });
    const twice = example('copy.ts', 'samples/mlruns', join(directory, 'copied.tar'));
    expect(twice).toMatchObject({ status: 8, error: expect.stringMatching(/CONFLICT: .*copied\.tar/) });
  });

  it.each(['samples/mlruns', 'samples/backup.tar'])('best-runs.ts on %s', (place) => {
    const { stdout, status } = example('best-runs.ts', place);
    expect(stdout.trim().split('\n')).toHaveLength(3);
    expect(stdout).toMatch(/^wine-classifier \S+ \(learning rate [\d.]+\): last 0\.\d+, best 0\.\d+\n/);
    expect(status).toBe(0);
  });

  it('files.ts', () => {
    const { stdout, status } = example('files.ts');
    expect(stdout).toMatch(/^filestore samples\/mlruns\n/);
    expect(stdout).toMatch(/^diabetes-elasticnet\/[^/]+\/coefficients\.csv [1-9]\d+ bytes$/m);
    expect(status).toBe(0);
  });

  it('change-runs.ts', async () => {
    const place = join(directory, 'mlruns');
    await cp(resolve(ROOT, 'samples/mlruns'), place, { recursive: true });
    const { stdout, status } = example('change-runs.ts', place, join(directory, 'undo.ndjson'));
    expect(stdout).toBe('1 runs of wine-classifier\ndeleted 1, failed 0\nput back 1\n');
    expect(status).toBe(0);
  });

  it('has no example that is not run', async () => {
    expect((await examples()).sort()).toEqual(['best-runs.ts', 'change-runs.ts', 'copy.ts', 'files.ts']);
  });
});
