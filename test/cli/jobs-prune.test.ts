import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { mlferry } from './mlferry.ts';

let directory = '';
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-prune-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const DAY = 86_400;

/** Makes each job's journal as old as told, in days. */
async function age(days: number) {
  const jobs = join(directory, 'mlferry/jobs');
  const time = Date.now() / 1000 - days * DAY;
  for (const id of await readdir(jobs)) await utimes(join(jobs, id, 'journal.ndjson'), time, time);
}

async function states(): Promise<string[]> {
  const { out } = await mlferry(['jobs', 'list', '--json'], directory);
  const jobs: Array<{ state: string }> = JSON.parse(out);
  return jobs.map(({ state }) => state).sort();
}

it('jobs that ended are done, incomplete or failed, and forgotten when they are old', async () => {
  const broken = join(directory, 'broken/mlruns');
  await mkdir(join(broken, '1/ab'), { recursive: true });
  await writeFile(join(broken, '1/meta.yaml'), "experiment_id: '1'\nlifecycle_stage: active\nname: e\n");
  await mlferry(['backup', 'samples/mlruns', join(directory, 'a.tar')], directory);
  expect((await mlferry(['backup', broken, join(directory, 'b.tar')], directory)).status).toBe(3);
  expect(await states()).toEqual(['done', 'incomplete']);

  await age(10);
  expect((await mlferry(['jobs', 'prune'], directory)).err).toContain('Forgotten: 0 jobs');
  expect(await states()).toEqual(['done', 'incomplete']);
  expect((await mlferry(['jobs', 'prune', '--days', '7'], directory)).err).toContain('Forgotten: 2 jobs');
  expect(await states()).toEqual([]);

  await mlferry(['backup', 'samples/mlruns', join(directory, 'c.tar')], directory);
  await age(31);
  await mlferry(['backup', 'samples/mlruns', join(directory, 'd.tar')], directory);
  expect(await states()).toEqual(['done']);
});
