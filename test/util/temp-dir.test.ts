import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { makeTempDir } from '../../src/util/temp-dir.ts';

it('removes the directories of killed processes, but no others', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'temp-dir-test-'));
  const child = spawn(process.execPath, ['-e', '0'], { stdio: 'ignore' });
  await once(child, 'close');
  const dead = `mlferry-${hostname()}-${child.pid}-abcdef`;
  const others = [
    'mlferry-abcdef',
    `mlferry-${hostname()}-${process.ppid}-abcdef`,
    'mlferry-elsewhere-1-abcdef',
  ];
  for (const name of [dead, ...others]) await mkdir(join(parent, name));
  await writeFile(join(parent, dead, 'spool'), 'left');
  const own = await makeTempDir(parent);
  expect((await readdir(parent)).sort()).toEqual([...others, basename(own)].sort());
  await rm(parent, { recursive: true });
});

it('says which directory cannot be used', async () => {
  await expect(makeTempDir('/nowhere/at/all')).rejects.toMatchObject({
    code: 'LOCATION',
    message: expect.stringContaining('/nowhere/at/all'),
  });
});
