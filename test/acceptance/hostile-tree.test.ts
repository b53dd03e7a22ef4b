import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyReport, runMlferry } from './run-mlferry.ts';

const id = (number: number) => number.toString(16).padStart(32, '0');
const metaOf = (number: number) =>
  `artifact_uri: ''\nend_time: 1700000009000\nexperiment_id: '1'\nlifecycle_stage: active\nrun_id: ${id(number)}\nrun_name: a run\nstart_time: 1700000000000\nstatus: 3\nuser_id: tester\n`;

let directory: string;
let root: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-hostile-'));
  root = join(directory, 'mlruns');
  await mkdir(join(root, '1'), { recursive: true });
  await writeFile(
    join(root, '1', 'meta.yaml'),
    `artifact_location: ''\nexperiment_id: '1'\nlifecycle_stage: active\nname: first\n`,
  );
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const fileOf = (number: number) => join(root, '1', id(number), 'meta.yaml');

/** Makes a run whose `meta.yaml` ends with `more`. */
async function addRun(number: number, more = ''): Promise<void> {
  await mkdir(join(root, '1', id(number), 'metrics'), { recursive: true });
  await writeFile(fileOf(number), metaOf(number) + more);
}

test('each hostile meta.yaml costs its run alone, in 256 MB', async () => {
  const names = 'abcdefghij';
  const lists = [...names]
    .slice(1)
    .map((name, index) => `${name}: &${name} [${`*${names[index]}, `.repeat(9)}]\n`);
  const hostile: readonly [content: string, message: RegExp][] = [
    [`x: ${'a'.repeat(60_000_000)}\n`, /has more than 1048576 bytes/],
    [`x: [${'a,'.repeat(500_000)}a]\n`, /too much stands in it/],
    [Array.from({ length: 60_000 }, (_, key) => `k${key}: 1\n`).join(''), /too much stands in it/],
    [
      Array.from({ length: 3_000 }, (_, key) => `'${key}': &a${key} [*a${key}]\n`).join(''),
      /too much stands/,
    ],
    [`a: &a [${'x, '.repeat(9)}]\n${lists.join('')}`, /cannot be read: Excessive alias count/],
    [`x: ${'['.repeat(9_000)}${']'.repeat(900)}\n`, /is not valid YAML/],
    [`x: "${'\\"'.repeat(500_000)}\n`, /is not valid YAML/],
  ];
  await addRun(0, `x: "${'\\n'.repeat(500_000)}"\ny: '${`''`.repeat(10_000)}'\n`);
  for (const [index, [content]] of hostile.entries()) await addRun(index + 1, content);
  const peak = join(directory, 'peak');
  const report = await copyReport(['backup', root, join(directory, 'a.tar')], {
    environment: {
      NODE_OPTIONS: `--import=${new URL('memory-peak.ts', import.meta.url).href}`,
      PEAK_MEMORY_FILE: peak,
    },
  });
  expect(report).toMatchObject({ exit_status: 3, runs: { created: 1 } });
  expect(report.failures.map(({ code, message }) => ({ code, message }))).toEqual(
    hostile.map(([, message], index) => ({
      code: 'SOURCE_ITEM',
      message: expect.stringMatching(new RegExp(`^${fileOf(index + 1)} .*${message.source}`)),
    })),
  );
  expect(Number(await readFile(peak, 'utf8'))).toBeLessThan(256_000_000);
});

test.each([
  ['in files that take long to parse', () => fileOf(3)],
  ['in a long file of points', () => join(root, '1', id(0), 'metrics', 'loss')],
])('Ctrl-C ends the reading of a directory at once: %s', async (_, interruptAt) => {
  await addRun(0);
  await writeFile(join(root, '1', id(0), 'metrics', 'loss'), '1700000000000 0.5 1\n'.repeat(1_000_000));
  for (let number = 1; number <= 60; number += 1) await addRun(number, `x: [${'a,'.repeat(4_900)}a]\n`);
  const reads = join(directory, 'reads');
  const { status, stderr } = await runMlferry(['backup', root, join(directory, 'a.tar')], {
    environment: {
      NODE_OPTIONS: `--import=${new URL('interrupt-reading.ts', import.meta.url).href}`,
      NODE_NO_WARNINGS: '1',
      INTERRUPT_AT: interruptAt(),
      READS_AFTER: reads,
    },
  });
  expect({ status, stderr }).toEqual({ status: 130, stderr: expect.stringContaining('INTERRUPTED') });
  // Some 60 files or 80 pieces of one were left.
  expect(Number(await readFile(reads, 'utf8'))).toBeLessThan(20);
});
