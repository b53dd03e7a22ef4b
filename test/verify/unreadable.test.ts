import { expect, test } from 'vitest';
import { createLedger } from '../../src/job/ledger.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import type { Reader, RunReader } from '../../src/places/place.ts';
import { MlferryError } from '../../src/util/errors.ts';
import { checkPlace } from '../../src/verify/check-place.ts';
import { compareRuns } from '../../src/verify/compare-places.ts';
import { createProgressCounter } from '../../src/verify/progress-counter.ts';
import { createVerdictbook, verifyStatus } from '../../src/verify/report.ts';
import { memoryReader } from '../contract/memory-reader.ts';
import { makeSample } from './mutations.ts';

/** Compares two readers that hold the same; the verdicts. */
async function compared(source: Reader, target: Reader) {
  const book = createVerdictbook(false);
  await compareRuns(source, target, {
    selection: ALL_ACTIVE,
    rename: [],
    into: undefined,
    held: [],
    mirror: false,
    bandwidth: undefined,
    parts: { ...ALL_PARTS, quick: false },
    concurrency: 2,
    signal: new AbortController().signal,
    book,
    expected: createLedger(),
    unreadable: { source: new Set(), target: new Set() },
    isHidden: () => false,
    isReported: () => false,
    progress: createProgressCounter(undefined),
  });
  return book;
}

async function reader(spoil?: (run: RunReader) => RunReader): Promise<Reader> {
  const { experiment, run, other } = await makeSample();
  return memoryReader([{ experiment, runs: [run, other] }], spoil);
}

const broken = () => {
  throw new MlferryError('SHORT_BODY', 'the storage is broken');
};

test.each([
  ['series', (run: RunReader): RunReader => ({ ...run, metrics: broken })],
  ['list of files', (run: RunReader): RunReader => ({ ...run, artifacts: broken })],
  ['file', (run: RunReader): RunReader => ({ ...run, open: broken })],
])(
  'a run whose %s cannot be read on either side is unreadable, the others are compared',
  async (_, spoil) => {
    const spoilFirst = (run: RunReader) => (run.run.run_name === 'first' ? spoil(run) : run);
    for (const [source, target] of [
      [await reader(spoilFirst), await reader()],
      [await reader(), await reader(spoilFirst)],
    ] as const) {
      const book = await compared(source, target);
      expect(book.items).toMatchObject([
        { symbol: '!', name: 'first', reason: 'the storage is broken (SHORT_BODY)' },
      ]);
      expect(book.runs).toMatchObject({ same: 1, unreadable: 1, different: 0 });
      expect(verifyStatus(undefined, book)).toBe(3);
    }
  },
);

test.each(['source', 'target'])(
  'an experiment whose runs the %s cannot list is unreadable, once',
  async (side) => {
    const good = await reader();
    const bad: Reader = { ...good, runs: () => ({ [Symbol.asyncIterator]: broken }) };
    const book = await compared(side === 'source' ? bad : good, side === 'source' ? good : bad);
    expect(book.items).toMatchObject([{ symbol: '!', kind: 'experiment', name: 'churn' }]);
    expect(verifyStatus(undefined, book)).toBe(3);
  },
);

test('a stream that is cut while it is read costs the run at hand, checked alone or compared', async () => {
  const cut = () => {
    throw new MlferryError('TRUNCATED', 'the stream ends within line 7');
  };
  const spoil = (run: RunReader) => (run.run.run_name === 'first' ? { ...run, metrics: cut } : run);
  const two = await compared(await reader(spoil), await reader());
  const one = createVerdictbook(false);
  await checkPlace(await reader(spoil), {
    selection: ALL_ACTIVE,
    parts: { ...ALL_PARTS, quick: false },
    concurrency: 2,
    signal: new AbortController().signal,
    book: one,
    runs: new Set(),
    progress: createProgressCounter(undefined),
  });
  for (const book of [one, two]) {
    expect(book.runs).toMatchObject({ same: 1, unreadable: 1 });
    expect(book.items).toMatchObject([
      { symbol: '!', name: 'first', reason: 'the stream ends within line 7 (TRUNCATED)' },
    ]);
  }
});

test('a server that goes away ends it', async () => {
  const gone = () => {
    throw new MlferryError('UNAVAILABLE', 'gone');
  };
  await expect(
    compared(await reader(), await reader((run) => ({ ...run, metrics: gone }))),
  ).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  });
});
