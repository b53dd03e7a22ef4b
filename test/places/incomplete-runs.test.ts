import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runDigest } from '../../src/model/canonical.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import { openReader, openWriter } from '../../src/places/open.ts';
import type { RunReader } from '../../src/places/place.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { noise } from '../disk/sources.ts';
import {
  type MemoryRun,
  makeExperiment,
  makeRun,
  memoryRunReader,
  readerOptions,
  testOptions,
} from './memory-workspace.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-incomplete-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

const runs = () =>
  Promise.all(
    ['a', 'b', 'c', 'd'].map((run_id, start_time) =>
      makeRun(
        { run_id, start_time },
        [['loss', [[0, 1_700_000_000_000, 0.5]]]],
        [
          ['broken.txt', Buffer.from(`lines of ${run_id}\n`.repeat(20_000))],
          ['whole.bin', noise(90_000, start_time)],
        ],
      ),
    ),
  );

/** A run whose first file gives some of its bytes, and then fails or is at its end. */
const withBrokenFile = (reader: RunReader): RunReader => ({
  ...reader,
  async open(entry) {
    if (entry.path !== 'broken.txt') return reader.open(entry);
    async function* half() {
      yield Buffer.from(`lines of ${reader.run.run_id}\n`.repeat(10_000));
      if (reader.run.run_id === 'b') throw new MlferryError('SOURCE_ITEM', 'The disk gives no more');
    }
    return Readable.from(half(), { objectMode: false });
  },
});

/** Writes the runs, of which `b` and `c` have the broken file; stops before the last one when told. */
async function write(path: string, all: readonly MemoryRun[], stop = false) {
  const lost: string[] = [];
  const { options, failures } = testOptions(dir, {
    artifactsDir: join(dir, 'artifacts'),
    findings: {
      loss: () => undefined,
      failure: (failure) => lost.push(`${failure.object}: ${failure.message}`),
      noted: () => lost.length,
    },
  });
  const writer = await openWriter(path, options);
  const experiment = await writer.experiment(makeExperiment(), 'an experiment');
  const outcomes: Array<[string, boolean]> = [];
  for (const run of stop ? all.slice(0, -1) : all) {
    const current = await writer.isCurrent(run.run, experiment, '');
    if (current !== undefined) {
      outcomes.push([current.outcome, false]);
      continue;
    }
    const reader = memoryRunReader(run);
    const written = await writer.run('bc'.includes(run.run.run_id) ? withBrokenFile(reader) : reader, {
      ...{ experiment, origin: 'f/1', digest: 'd' },
      remap: () => run.run,
    });
    outcomes.push([written.outcome, written.incomplete === true]);
  }
  await (stop ? writer.abort() : writer.finish());
  return { lost, outcomes, failures };
}

describe.each(['.tar', '.tar.gz', '.ndjson'])('a run with a file that cannot be read, in a %s', (suffix) => {
  it('is there without that file, says so, and is told of when it is read', async () => {
    const path = join(dir, `one${suffix}`);
    const all = await runs();
    const { lost, outcomes } = await write(path, all);
    expect(lost).toEqual([
      'artifact "broken.txt" of run b: The disk gives no more',
      expect.stringMatching(/^artifact "broken.txt" of run c: .* should have 220000 bytes and gave 110000$/),
    ]);
    expect(outcomes).toEqual([
      ['created', false],
      ['created', true],
      ['created', true],
      ['created', false],
    ]);

    const { options, losses, failures } = readerOptions(dir, { artifactsDir: join(dir, 'artifacts') });
    const reader = await openReader(path, options);
    const found = [];
    for await (const experiment of reader.experiments(ALL_ACTIVE)) {
      for await (const run of reader.runs(experiment, ALL_ACTIVE)) {
        const files = [];
        for await (const entry of run.artifacts()) {
          const hash = createHash('sha256');
          for await (const chunk of (await run.open(entry)) ?? []) hash.update(chunk);
          files.push([entry.path, hash.digest('hex')]);
        }
        found.push({ id: run.run.run_id, incomplete: run.run.incomplete, files });
      }
      // Handed out again, it is not told again.
      for await (const _ of reader.runs(experiment, ALL_ACTIVE));
    }
    await reader.close();
    const fileOf = (run: MemoryRun | undefined, index: number) => {
      const [name = '', bytes = Buffer.alloc(0)] = run?.artifacts[index] ?? [];
      return [name, createHash('sha256').update(bytes).digest('hex')];
    };
    const [a, b, c, d] = all;
    expect(found).toEqual([
      { id: 'a', incomplete: undefined, files: [fileOf(a, 0), fileOf(a, 1)] },
      { id: 'b', incomplete: true, files: [fileOf(b, 1)] },
      { id: 'c', incomplete: true, files: [fileOf(c, 1)] },
      { id: 'd', incomplete: undefined, files: [fileOf(d, 0), fileOf(d, 1)] },
    ]);
    expect(failures).toEqual([]);
    const incomplete = { code: 'RUN_INCOMPLETE', experiment_name: 'an experiment' };
    expect(losses).toMatchObject([
      { ...incomplete, run_id: 'b' },
      { ...incomplete, run_id: 'c' },
    ]);
  });
});

it.each(['.tar', '.ndjson'])(
  'an unfinished %s with such a run is gone on with, to the same bytes',
  async (suffix) => {
    const all = await runs();
    const whole = join(dir, `whole${suffix}`);
    await write(whole, all);
    const path = join(dir, `resumed${suffix}`);
    await write(path, all, true);
    const { outcomes, lost } = await write(path, all);
    expect(outcomes.map(([outcome]) => outcome)).toEqual(['unchanged', 'unchanged', 'unchanged', 'created']);
    expect(lost).toHaveLength(2);
    expect((await readFile(path)).equals(await readFile(whole))).toBe(true);
  },
);

it('has the digest of the run that is whole: it says how the run was read, not what it is', async () => {
  const [a] = await runs();
  if (a === undefined) throw new Error('No run');
  expect(runDigest({ ...a.run, incomplete: true })).toBe(runDigest(a.run));
});
