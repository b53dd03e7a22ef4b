import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { takeLock } from '../../src/util/lock-file.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
const newPath = () => {
  count += 1;
  return join(dir, `lock${count}`);
};

/** The id of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await once(child, 'close');
  return child.pid ?? 0;
}

describe('takeLock', () => {
  it('lets one in, names the holder to others, and leaves nothing when given back', async () => {
    const path = newPath();
    const lock = await takeLock(path, 'the thing');
    await expect(takeLock(path, 'the thing')).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `the thing is being written by process ${process.pid} on ${hostname()}`,
      hint: expect.stringContaining(path),
    });
    await lock.release();
    const second = await takeLock(path, 'the thing');
    await lock.release();
    await expect(takeLock(path, 'the thing')).rejects.toMatchObject({ code: 'CONFLICT' });
    await second.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it('takes over from a process that is dead, whose id another has by now, or that wrote half a lock', async () => {
    const path = newPath();
    const dead = { pid: await deadPid(), host: hostname() };
    const reused = { pid: process.ppid, host: hostname(), birth: 'another boot/1' };
    for (const left of [JSON.stringify(dead), JSON.stringify(reused), '{"pid":', '']) {
      await writeFile(path, left);
      const lock = await takeLock(path, 'the thing');
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
      await lock.release();
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('does not touch the lock of another machine', async () => {
    const path = newPath();
    await writeFile(path, JSON.stringify({ pid: 1, host: 'another.example' }));
    await expect(takeLock(path, 'the thing')).rejects.toMatchObject({ code: 'CONFLICT' });
    await rm(path);
  });

  it('of many that find a dead lock, exactly one gets it', async () => {
    const pid = await deadPid();
    for (let round = 0; round < 30; round++) {
      const path = newPath();
      await writeFile(path, JSON.stringify({ pid, host: hostname() }));
      const all = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, 'the thing')));
      const got = all.filter((each) => each.status === 'fulfilled');
      expect(got.length).toBe(1);
      await got[0]?.value.release();
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('says why a lock cannot be taken', async () => {
    await expect(takeLock(join(dir, 'no', 'lock'), 'the thing')).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('ENOENT'),
    });
  });
});
