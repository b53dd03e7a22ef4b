import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findLockHolder, takeLock } from '../../src/util/lock-file.ts';
import { ownIdentity } from '../../src/util/process-identity.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lock-test-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const started = Date.UTC(2026, 0, 2, 3, 4, 5);
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
      message: expect.stringMatching(
        `^the thing is being worked on by process ${process.pid} on ${hostname()} since 20`,
      ),
      hint: expect.stringContaining(path),
    });
    await lock.release();
    const second = await takeLock(path, 'the thing');
    await lock.release();
    await expect(takeLock(path, 'the thing')).rejects.toMatchObject({ code: 'CONFLICT' });
    await second.release();
    expect(await readdir(dir)).toEqual([]);
  });

  it.skipIf(process.platform !== 'linux')(
    'takes over from a process that was killed and not yet reaped',
    async () => {
      const path = newPath();
      // The shell starts a child and becomes a program that never asks how it ended.
      const parent = spawn('sh', ['-c', 'sleep 600 & echo $!; exec sleep 600'], {
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      try {
        const [line] = await once(parent.stdout, 'data');
        const pid = Number(String(line));
        await writeFile(path, JSON.stringify({ pid, host: hostname(), started }));
        await expect(takeLock(path, 'the thing')).rejects.toMatchObject({ code: 'CONFLICT' });
        // Until then it is a shell, which does ask.
        await vi.waitUntil(async () => (await readFile(`/proc/${parent.pid}/comm`, 'utf8')) === 'sleep\n');
        process.kill(pid, 'SIGKILL');
        await vi.waitUntil(async () => / Z /.test(await readFile(`/proc/${pid}/stat`, 'utf8')));
        const lock = await takeLock(path, 'the thing');
        await lock.release();
        expect(await readdir(dir)).toEqual([]);
      } finally {
        parent.kill('SIGKILL');
      }
    },
  );

  it('takes over from a process that is dead, whose id another has by now, or that wrote half a lock', async () => {
    const path = newPath();
    const dead = { pid: await deadPid(), host: hostname(), started };
    const reused = { pid: process.ppid, host: hostname(), birth: 'another boot/1', started };
    for (const left of [JSON.stringify(dead), JSON.stringify(reused), '{"pid":', '{"pid":1}', 'null', '']) {
      await writeFile(path, left);
      const lock = await takeLock(path, 'the thing');
      expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({ pid: process.pid });
      await lock.release();
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('removes what the dead left on their way to it, and nothing else', async () => {
    const path = newPath();
    const dead = await deadPid();
    const lockOf = (pid: number, host: string) => JSON.stringify({ pid, host, started });
    const left = {
      [`${dead}-1`]: lockOf(dead, hostname()),
      [`${dead}-2`]: '',
      takeover: lockOf(dead, hostname()),
      [`${process.ppid}-3`]: lockOf(process.ppid, hostname()),
      [`${process.ppid}-4`]: '{"pid":',
      [`${dead}-5`]: lockOf(dead, 'another.example'),
      other: 'text',
    };
    for (const [name, text] of Object.entries(left)) await writeFile(`${path}.${name}`, text);
    await (await takeLock(path, 'the thing')).release();
    expect((await readdir(dir)).map((name) => name.replace(/.*\./, '')).sort()).toEqual(
      [`${process.ppid}-3`, `${process.ppid}-4`, `${dead}-5`, 'other'].sort(),
    );
    for (const name of await readdir(dir)) await rm(join(dir, name));
  });

  it('does not touch the lock of another machine', async () => {
    const path = newPath();
    await writeFile(path, JSON.stringify({ pid: 1, host: 'another.example', started }));
    await expect(takeLock(path, 'the thing', 'ask somebody')).rejects.toMatchObject({
      code: 'CONFLICT',
      meaning: { exit: 8 },
      message: 'the thing is being worked on by process 1 on another.example since 2026-01-02T03:04:05.000Z',
      hint: expect.stringContaining('ask somebody'),
    });
    await rm(path);
  });

  it('of many that find a dead lock, exactly one gets it', async () => {
    const pid = await deadPid();
    for (let round = 0; round < 30; round++) {
      const path = newPath();
      await writeFile(path, JSON.stringify({ pid, host: hostname(), started }));
      const all = await Promise.allSettled(Array.from({ length: 8 }, () => takeLock(path, 'the thing')));
      const got = all.filter((each) => each.status === 'fulfilled');
      expect(got.length).toBe(1);
      await got[0]?.value.release();
    }
    expect(await readdir(dir)).toEqual([]);
  });

  it('leaves a lock alone that was taken from it', async () => {
    const path = newPath();
    const lost = await takeLock(path, 'the thing');
    await rm(path);
    const other = await takeLock(path, 'the thing');
    await lost.release();
    expect(await findLockHolder(path)).toMatchObject(ownIdentity());
    await other.release();
    expect(await findLockHolder(path)).toBeUndefined();
  });

  it('says why a lock cannot be taken', async () => {
    await expect(takeLock(join(dir, 'no', 'lock'), 'the thing')).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('ENOENT'),
    });
  });
});
