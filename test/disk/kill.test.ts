import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import type { Report } from '../../src/copy/report.ts';
import type { JobOptions } from '../../src/job/job-options.ts';
import { openReader } from '../../src/places/open.ts';
import { essenceOf } from '../contract/copies.ts';
import { readerOptions, readWorkspace } from '../places/memory-workspace.ts';
import { cleanEnvironment } from '../servers/clean-environment.ts';
import { type DiskFault, withDiskFault } from './break-disk.ts';
import { smallWorkspace, storeOf } from './sources.ts';

const LONG = process.env.MLFERRY_TEST_LONG === '1';
const CHILD = fileURLToPath(new URL('broken-mlferry.ts', import.meta.url));

let dir: string;
let short: string;
let long: string;
let archive: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'kill-test-'));
  short = await storeOf(await smallWorkspace(1500), join(dir, 'short'));
  // Enough lines for two parts of an archive.
  long = await storeOf(await smallWorkspace(33_000), join(dir, 'long'));
  archive = join(dir, 'short.tar');
  expect((await copyBetween(short, archive)).report.exit_status).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Job {
  readonly command: string;
  readonly from: string;
  readonly to: string;
  readonly more?: readonly string[];
  readonly options?: JobOptions;
}

/** Runs a command in a process that is killed at an operation; the signal that ended it, or null. */
async function killed({ command, from, to, more = [] }: Job, place: string, at: number, concurrency: number) {
  const fault: DiskFault = { below: [place], at, does: 'SIGKILL', lasting: false };
  const args = [
    command,
    from,
    to,
    '--quiet',
    '--temp-dir',
    join(place, 'temp'),
    '-c',
    `${concurrency}`,
    ...more,
  ];
  const child = spawn(process.execPath, [CHILD, JSON.stringify(fault), ...args], {
    env: { ...cleanEnvironment(), XDG_STATE_HOME: join(place, 'state') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stderr] = await Promise.all([text(child.stderr), once(child, 'close')]);
  return { signal: child.signalCode, status: child.exitCode, stderr };
}

async function finish({ from, to, options }: Job, place: string): Promise<Report> {
  const stateDir = join(place, 'state', 'mlferry');
  return (await copyBetween(from, to, { concurrency: 4, stateDir, ...options })).report;
}

let count = 0;
async function newPlace(): Promise<string> {
  count += 1;
  const place = join(dir, `target${count}`);
  await mkdir(join(place, 'temp'), { recursive: true });
  return place;
}

const hashOf = async (path: string) =>
  createHash('sha256')
    .update(await readFile(path))
    .digest('hex');

/** What a target holds, in a form that is equal for equal content: of a file its bytes. */
async function contentOf(to: string): Promise<unknown> {
  const rest = await readdir(dirname(to), { recursive: true });
  expect(rest.filter((name) => name.includes('partial') && name !== 'artifacts')).toEqual([]);
  if (!to.endsWith('mlruns')) return hashOf(to);
  return essenceOf(await readWorkspace(await openReader(to, readerOptions(dir).options)));
}

const jobs: Record<string, (place: string) => Job> = {
  backup: (place) => ({ command: 'backup', from: long, to: join(place, 'a.tar') }),
  export: (place) => ({
    ...{ command: 'export', from: short, to: join(place, 'a.ndjson') },
    more: ['--artifacts-dir', join(place, 'artifacts')],
    options: { artifactsDir: join(place, 'artifacts') },
  }),
  restore: (place) => ({ command: 'restore', from: archive, to: join(place, 'mlruns') }),
};

/** Numbers from 0 to 1 that are the same in every run. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe.each(Object.entries(jobs))('%s', (name, jobIn) => {
  it('killed at any operation on the disk, comes to the same end when it is run again', async () => {
    const clean = await newPlace();
    const plan = { below: [clean], at: Number.POSITIVE_INFINITY, does: 'SIGKILL', lasting: false } as const;
    const job = jobIn(clean);
    const options = { ...job.options, concurrency: 1, tempDir: join(clean, 'temp') };
    const { operations } = await withDiskFault(plan, () => finish({ ...job, options }, clean));
    const wanted = await contentOf(job.to);
    const total = operations.length;
    const random = seeded(total);
    const step = LONG ? 1 : Math.max(1, Math.floor(total / 6));
    const points = [
      ...Array.from({ length: total }, (_, i) => ({ at: i + 1, concurrency: 1 })).filter(
        ({ at }) => at % step === 0,
      ),
      ...Array.from({ length: LONG ? 200 : 2 }, () => ({
        at: 1 + Math.floor(random() * total),
        concurrency: 8,
      })),
    ];
    let resumed = 0;
    for (const { at, concurrency } of points) {
      const place = await newPlace();
      const again = jobIn(place);
      const where = `${name}, killed at ${at} of ${total} with ${concurrency} at once: ${operations[at - 1]}`;
      const ended = await killed(again, place, at, concurrency);
      // With several runs at once the order differs, and the number a little.
      if (ended.signal === null)
        expect({ ...ended, concurrency }, where).toMatchObject({ status: 0, concurrency: 8 });
      if (!again.to.endsWith('mlruns') && existsSync(again.to)) {
        // It died when the file had its name; the next process sees to what stands beside it.
        await expect(finish(again, place), where).rejects.toMatchObject({ code: 'CONFLICT' });
      } else {
        const report = await finish(again, place);
        expect(report, where).toMatchObject({ exit_status: 0, losses: [] });
        resumed += report.runs.unchanged;
      }
      expect(await contentOf(again.to), where).toEqual(wanted);
      await rm(place, { recursive: true });
    }
    expect(resumed).toBeGreaterThan(0);
  });
});
