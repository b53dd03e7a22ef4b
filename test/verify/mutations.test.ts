import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { copy } from '../../src/copy/copy.ts';
import { createLedger } from '../../src/job/ledger.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { openWriter } from '../../src/places/open.ts';
import { verify } from '../../src/verify/verify.ts';
import { memoryReader } from '../contract/memory-reader.ts';
import { testOptions } from '../places/memory-workspace.ts';
import { type Mutation, makeSample, mutations, type Sample } from './mutations.ts';

const selection = { view: 'all' } as const;

/** Copies a sample to a place, as the engine does. */
async function write(sample: Sample, to: string, directory: string, artifactsDir?: string): Promise<void> {
  const { experiment, run, other } = sample;
  const reader = memoryReader([{ experiment, runs: [run, other] }]);
  const more = { source: reader.info, ...(artifactsDir === undefined ? {} : { artifactsDir }) };
  const { options } = testOptions(directory, more);
  const ledger = createLedger();
  const { report } = await copy(reader, await openWriter(to, options), {
    selection: { experiments: [], runs: [], view: 'all' },
    concurrency: 2,
    rename: [],
    parts: ALL_PARTS,
    dryRun: false,
    signal: options.signal,
    ledger,
  });
  expect(report.failures).toEqual([]);
  expect(report.error).toBeUndefined();
}

describe.each([
  { kind: 'archive', name: 'copy.tar' },
  { kind: 'stream', name: 'copy.ndjson' },
  { kind: 'mlruns', name: 'copy/mlruns' },
])('one change in an $kind', ({ kind, name }) => {
  let base: string;
  let source: string;
  let directory: string;

  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'mlferry-mutations-'));
    source = join(base, 'source.tar');
    await write(await makeSample(), source, base);
  });
  afterAll(() => rm(base, { recursive: true, force: true }));
  beforeEach(async () => {
    directory = await mkdtemp(join(base, 'test-'));
  });

  const artifactsDir = () => join(directory, 'artifacts');

  test('without one nothing is reported', async () => {
    const target = join(directory, name);
    await write(await makeSample(), target, directory, artifactsDir());
    const report = await verify(source, target, { selection, artifactsDir: artifactsDir() });
    expect(report).toMatchObject({ items: [], loss_counts: {}, exit_status: 0 });
    expect(report.checked).toEqual({ points: 1505, artifacts: 2, artifact_bytes: 20_005 });
    expect(await verify(source, target, { selection, quick: true })).toMatchObject({
      items: [],
      exit_status: 0,
    });
  });

  const fitting = Object.entries(mutations).filter(
    ([, { keptOnly }]) => kind !== 'mlruns' || keptOnly !== true,
  );
  test.each(fitting)('%s', async (_, { field, change, ofExperiment }: Mutation) => {
    const target = join(directory, name);
    await write(await change(await makeSample()), target, directory, artifactsDir());
    const report = await verify(source, target, { selection, artifactsDir: artifactsDir() });
    expect(report.items).toMatchObject([
      { symbol: '*', kind: ofExperiment === true ? 'experiment' : 'run', differences: [{ field }] },
    ]);
    expect(report.items[0]?.differences).toHaveLength(1);
    expect(report.exit_status).toBe(4);
  });

  test('runs and experiments that only one side has', async () => {
    const target = join(directory, name);
    const sample = await makeSample();
    const third = {
      ...sample.other,
      run: { ...sample.other.run, run_id: '3'.repeat(32), run_name: 'third' },
    };
    await write({ ...sample, other: third }, target, directory);
    const report = await verify(source, target, { selection, artifacts: false });
    expect(report.items.map(({ symbol, kind, name }) => [symbol, kind, name])).toEqual([
      ['+', 'run', 'second'],
      ['-', 'run', 'third'],
    ]);
    expect(report.exit_status).toBe(4);

    const elsewhere = await verify(source, target, {
      selection,
      artifacts: false,
      rename: [{ from: 'churn', to: 'nowhere' }],
    });
    expect(elsewhere.items.filter(({ symbol }) => symbol === '+')).toHaveLength(3);
  });
});
