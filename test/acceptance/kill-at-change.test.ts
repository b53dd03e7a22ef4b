import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { copyReport, runMlferry } from './run-mlferry.ts';

const SOURCE = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
const PRELOAD = new URL('kill-at-change.ts', import.meta.url).href;
/** `MLFERRY_TEST_LONG=1`: a kill before every change; otherwise a spread of them. */
const long = process.env.MLFERRY_TEST_LONG === '1';
const SAMPLE = 7;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-changes-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const copyTo = (target: string) => [
  ...['copy', SOURCE, target, '--view', 'all', '--state-dir', join(directory, 'state')],
];

/** Every file of a store with its content; its own path, and the time when it was made, taken out. */
async function contentOf(root: string): Promise<Record<string, string>> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const files = await Promise.all(
    entries
      .filter((entry) => entry.isFile())
      .map(async (entry): Promise<[path: string, content: string]> => {
        const path = join(entry.parentPath, entry.name);
        const content = (await readFile(path, 'latin1')).replaceAll(root, 'ROOT');
        const name = path.slice(root.length + 1);
        return [name, name === '0/meta.yaml' ? content.replace(/_time: \d+/g, '_time: now') : content];
      }),
  );
  return Object.fromEntries(files.sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('a copy into a directory that is killed at any change of a file, and run again, is as if it was never killed', async () => {
  const whole = join(directory, 'whole');
  const counted = join(directory, 'count');
  const environment = { NODE_OPTIONS: `--import=${PRELOAD}`, NODE_NO_WARNINGS: '1' };
  const unbroken = await runMlferry(copyTo(whole), {
    environment: { ...environment, CHANGE_COUNT_FILE: counted },
  });
  expect(unbroken.status).toBe(0);
  const changes = Number(await readFile(counted, 'utf8'));
  expect(changes).toBeGreaterThan(200);
  const expected = await contentOf(whole);
  expect(Object.keys(expected).length).toBeGreaterThan(100);

  const times = long ? changes : SAMPLE;
  for (let time = 0; time < times; time++) {
    const at = Math.floor(((time + 0.5) * changes) / times);
    const target = join(directory, `target-${at}`);
    const killed = await runMlferry(copyTo(target), {
      environment: { ...environment, KILL_AT_CHANGE: String(at) },
    });
    expect(killed.status, `killed at ${at}: ${killed.stderr}`).toBeNull();
    const report = await copyReport(copyTo(target));
    expect(report, `killed at ${at}`).toMatchObject({ exit_status: 0, failures: [] });
    expect(await contentOf(target), `killed at ${at}`).toEqual(expected);
    await rm(target, { recursive: true });
  }
  const jobs = await runMlferry(['jobs', 'list', '--state-dir', join(directory, 'state')]);
  expect(jobs.stdout).not.toMatch(/unfinished|running/);
});
