import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyBetween } from '../../src/copy/copy-between.ts';
import type { JobOptions } from '../../src/job/job-options.ts';
import { openReader } from '../../src/places/open.ts';
import { asMlferryError } from '../../src/util/errors.ts';
import { essenceOf } from '../contract/copies.ts';
import { readerOptions, readWorkspace } from '../places/memory-workspace.ts';
import { type DiskFault, withDiskFault } from './break-disk.ts';
import { smallWorkspace, storeOf } from './sources.ts';

const LONG = process.env.MLFERRY_TEST_LONG === '1';

let dir: string;
let mlruns: string;
/** The workspace in the forms in which it is read. */
const made = { archive: '', stream: '', artifacts: '' };
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'disk-test-'));
  mlruns = await storeOf(await smallWorkspace(1500), join(dir, 'source'));
  made.archive = join(dir, 'source', 'a.tar');
  made.stream = join(dir, 'source', 'a.ndjson.zst');
  made.artifacts = join(dir, 'source', 'artifacts');
  expect((await copyBetween(mlruns, made.archive)).report.exit_status).toBe(0);
  const artifactsDir = made.artifacts;
  expect((await copyBetween(mlruns, made.stream, { artifactsDir })).report.exit_status).toBe(0);
});
afterAll(() => rm(dir, { recursive: true, force: true }));

interface Job {
  readonly from: string;
  readonly to: string;
  readonly options?: JobOptions;
  /** Below which the disk fails. */
  readonly below: string;
}

/** How a copy ended. */
async function run({ from, to, options }: Job): Promise<{ status: number; message: string; hint: string }> {
  try {
    const { report } = await copyBetween(from, to, { concurrency: 1, ...options });
    const { message = '', hint = '' } = report.error ?? {};
    return { status: report.exit_status, message, hint };
  } catch (error) {
    const { meaning, message, hint } = asMlferryError(error);
    return { status: meaning.exit, message, hint };
  }
}

let count = 0;
/** A directory of its own for target and spool files. */
async function newPlace(): Promise<string> {
  count += 1;
  const place = join(dir, `target${count}`);
  await mkdir(join(place, 'temp'), { recursive: true });
  return place;
}

/** All that a target holds, and that nothing half-made stands beside it. */
async function contentOf(to: string): Promise<unknown> {
  const rest = await readdir(dirname(to), { recursive: true });
  expect(rest.filter((name) => name.includes('partial') || name.includes('spool'))).toEqual([]);
  const reader = await openReader(
    to,
    readerOptions(dir, { artifactsDir: join(dirname(to), 'artifacts') }).options,
  );
  return essenceOf(await readWorkspace(reader));
}

const jobs: Record<string, (place: string) => Job | Promise<Job>> = {
  backup: (place) => ({ from: mlruns, to: join(place, 'a.tar'), below: place }),
  'compressed backup': (place) => ({ from: mlruns, to: join(place, 'a.tar.zst'), below: place }),
  export: (place) => ({
    ...{ from: mlruns, to: join(place, 'a.ndjson'), below: place },
    options: { artifactsDir: join(place, 'artifacts') },
  }),
  restore: (place) => ({ from: made.archive, to: join(place, 'mlruns'), below: place }),
  'import of a compressed stream': (place) => ({
    ...{ from: made.stream, to: join(place, 'mlruns'), below: place },
    options: { artifactsDir: made.artifacts },
  }),
  'copy to a store whose runs have grown': async (place) => {
    const to = join(place, 'mlruns');
    await storeOf(await smallWorkspace(700), place);
    for (const run of await readdir(join(to, '1'))) {
      if (/^0/.test(run)) await rm(join(to, '1', run, 'artifacts', 'text.txt'));
    }
    for (const { runs } of await smallWorkspace(700)) {
      for (const { run } of runs) {
        const tags = join(to, run.experiment_id, run.run_id, 'tags');
        await rm(join(tags, 'mlferry.digest'), { force: true });
        await import('node:fs/promises').then(({ writeFile }) =>
          writeFile(join(tags, 'mlferry.origin'), `ffffffffffffffff/${run.run_id}`),
        );
      }
    }
    return { from: mlruns, to, below: place };
  },
};

const faults: ReadonlyArray<Pick<DiskFault, 'does' | 'lasting'>> = [
  { does: 'ENOSPC', lasting: true },
  { does: 'ENOSPC', lasting: false },
  { does: 'EIO', lasting: false },
];

describe.each(Object.entries(jobs))('%s', (name, jobIn) => {
  it('ends with status 9 wherever the disk fails, and comes to its end afterwards', async () => {
    const clean = await jobIn(await newPlace());
    const options = (place: string, job: Job) => ({
      ...job,
      options: { ...job.options, tempDir: join(place, 'temp'), stateDir: join(place, 'state') },
    });
    const plan = { below: [clean.below], at: Number.POSITIVE_INFINITY, does: 'EIO', lasting: false } as const;
    const counted = await withDiskFault(plan, () => run(options(clean.below, clean)));
    expect(counted.result.status).toBe(0);
    const wanted = await contentOf(clean.to);
    const bytes = clean.to.endsWith('mlruns') ? undefined : await readFile(clean.to);
    const all = counted.operations.map((_, i) => i + 1);
    // The long run tries every fault everywhere; the short one about 9 places and the last ones, one fault at each.
    const step = LONG ? 1 : Math.max(1, Math.floor(all.length / 9));
    for (const at of all.filter((n) => n % step === 0 || n > all.length - 7)) {
      for (const { does, lasting } of LONG ? faults : faults.slice(at % 3, (at % 3) + 1)) {
        const place = await newPlace();
        const job = options(place, await jobIn(place));
        const where = `${name}, ${does}${lasting ? ' from' : ' at'} ${at}: ${counted.operations[at - 1]}`;
        const { result, operations } = await withDiskFault({ below: [place], at, does, lasting }, () =>
          run(job),
        );
        // A compressor gives its bytes out in more or fewer pieces.
        if (operations.length < at) continue;
        expect(result, where).toMatchObject({ status: 9, message: expect.stringContaining(place) });
        expect(result.hint, where).not.toBe('');
        if (bytes !== undefined && existsSync(job.to)) {
          // Only the last line of the job's journal is written later; the file is whole.
          expect(operations[at - 1], where).toContain(join(place, 'state'));
          expect((await readFile(job.to)).equals(bytes), where).toBe(true);
          continue;
        }
        expect(await run(job), where).toMatchObject({ status: 0 });
        if (bytes !== undefined) expect((await readFile(job.to)).equals(bytes), where).toBe(true);
        else expect(await contentOf(job.to), where).toEqual(wanted);
        await rm(place, { recursive: true });
      }
    }
  });
});
