import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOCK_FILE, takeJobLock } from '../../src/job/job-lock.ts';

let parent: string;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mlferry-lock-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

it('refuses a second process, says how to forget the job, and leaves no file when it is given back', async () => {
  const directory = join(parent, 'jobs', 'abc');
  const lock = await takeJobLock(directory, 'abc');
  expect(await readdir(directory)).toEqual([LOCK_FILE]);
  await expect(takeJobLock(directory, 'abc')).rejects.toMatchObject({
    code: 'CONFLICT',
    message: expect.stringMatching(`^Job abc is being worked on by process ${process.pid} on `),
    hint: expect.stringContaining('mlferry jobs forget abc'),
  });
  await lock.release();
  expect(await readdir(directory)).toEqual([]);
});
