import { spawnSync } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { LOCK_FILE, lockHolder, takeLock } from '../../src/copy/job-lock.ts';
import { ownIdentity } from '../../src/util/process-identity.ts';

let parent: string;
let count = 0;
beforeAll(async () => {
  parent = await mkdtemp(join(tmpdir(), 'mlferry-lock-'));
});
afterAll(() => rm(parent, { recursive: true, force: true }));

/** A job's directory with a lock that somebody left. */
async function leftLock(content: unknown): Promise<string> {
  const directory = await mkdtemp(join(parent, `${count++}-`));
  await writeFile(
    join(directory, LOCK_FILE),
    typeof content === 'string' ? content : JSON.stringify(content),
  );
  return directory;
}

const deadPid = () => spawnSync(process.execPath, ['-e', '']).pid;
const started = Date.UTC(2026, 0, 2, 3, 4, 5);

it('refuses a second holder, and lets one in when the first is done', async () => {
  const directory = join(parent, 'twice');
  const release = await takeLock(directory, 'abc');
  await expect(takeLock(directory, 'abc')).rejects.toMatchObject({
    code: 'CONFLICT',
    meaning: { exit: 8 },
    message: expect.stringMatching(`^Job abc .* process ${process.pid} on ${hostname()} since 20`),
  });
  await release();
  const again = await takeLock(directory, 'abc');
  await again();
  expect(await readdir(directory)).toEqual([]);
});

it('takes a lock over whose process is gone, whose number is another process now, or that is no lock', async () => {
  const own = ownIdentity();
  const birth = own.birth === undefined ? [] : [{ ...own, birth: `${own.birth}0`, started }];
  const dead = [{ pid: deadPid(), host: hostname(), started }, ...birth, '', '{"pid":', '{"pid":1}', 'null'];
  for (const content of dead) {
    const directory = await leftLock(content);
    const release = await takeLock(directory, 'abc');
    expect(await lockHolder(directory)).toMatchObject(own);
    await release();
    expect(await readdir(directory)).toEqual([]);
  }
});

it('leaves the lock of a living process and of another machine, and says how to go on', async () => {
  const elsewhere = await leftLock({ pid: 1, host: `not-${hostname()}`, started });
  await expect(takeLock(elsewhere, 'abc')).rejects.toMatchObject({
    code: 'CONFLICT',
    message: `Job abc is being worked on by process 1 on not-${hostname()} since 2026-01-02T03:04:05.000Z`,
    hint: 'If that process is gone, run: mlferry jobs forget abc',
  });
  const alive = await leftLock({ pid: process.ppid, host: hostname(), started });
  await expect(takeLock(alive, 'abc')).rejects.toMatchObject({ code: 'CONFLICT' });
});

it('has one winner of many that find it free, and of many that find it dead', async () => {
  for (const directory of [
    join(parent, 'free'),
    await leftLock({ pid: deadPid(), host: hostname(), started }),
  ]) {
    const taken = await Promise.allSettled(Array.from({ length: 30 }, () => takeLock(directory, 'abc')));
    const winners = taken.filter(({ status }) => status === 'fulfilled');
    expect(winners).toHaveLength(1);
    expect(await readdir(directory)).toEqual([LOCK_FILE]);
  }
});

it('leaves a lock alone that was taken from it', async () => {
  const directory = join(parent, 'forgotten');
  const release = await takeLock(directory, 'abc');
  await rm(directory, { recursive: true });
  const other = await takeLock(directory, 'abc');
  await release();
  expect(await lockHolder(directory)).toMatchObject(ownIdentity());
  await other();
});
