import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { listPoints, pointsOf } from '../../../src/model/points.ts';
import type { Point } from '../../../src/model/records.ts';
import { createPointStore, type PointSequence } from '../../../src/places/reading/point-store.ts';
import { placeOptions } from './place-options.ts';

const series = (from: number, length: number): Point[] =>
  Array.from({ length }, (_, i) => [from + i, 1_700_000_000_000 + i, i === 3 ? 'NaN' : i === 5 ? -0 : i / 7]);

async function all(sequence: PointSequence): Promise<Point[]> {
  const points: Point[] = [];
  for await (const piece of sequence.pieces()) {
    expect(piece.length).toBeLessThanOrEqual(1000);
    points.push(...listPoints(piece));
  }
  return points;
}

describe('createPointStore', () => {
  it('gives back what was appended, in memory and beyond the budget, also when sequences are mixed', async () => {
    const { options } = await placeOptions();
    const budget = { free: 5000 };
    const store = createPointStore(options.tempDir, budget);
    const sequences = [0, 1, 2].map((n) => ({ n, sequence: store.sequence([n * 100_000 + 7, 0, 0]) }));
    await Promise.all(
      sequences.map(async ({ n, sequence }) => {
        for (let part = 0; part < 4; part++)
          await sequence.append(pointsOf(series(n * 100_000 + part * 2500, 2500)));
      }),
    );
    expect(budget.free).toBe(0);
    expect(await readdir(options.tempDir)).toHaveLength(1);
    const read = await Promise.all(sequences.map(({ sequence }) => all(sequence)));
    for (const { n, sequence } of sequences) {
      expect(sequence.count).toBe(10_000);
      expect(read[n]).toEqual([0, 1, 2, 3].flatMap((part) => series(n * 100_000 + part * 2500, 2500)));
    }
    await store.close();
    expect(budget.free).toBe(5000);
    expect(await readdir(options.tempDir)).toEqual([]);
  });

  it('knows whether the latest point came, forgets what is cut back, and gives memory back', async () => {
    const { options } = await placeOptions();
    const budget = { free: 100 };
    const store = createPointStore(options.tempDir, budget);
    const sequence = store.sequence([12, 1_700_000_000_002, 2 / 7]);
    await sequence.append(pointsOf(series(0, 10)));
    expect(sequence.hasLatest).toBe(false);
    const mark = sequence.mark();
    await sequence.append(pointsOf(series(10, 10)));
    expect(sequence.hasLatest).toBe(true);
    sequence.cutBack(mark);
    expect(await all(sequence)).toEqual(series(0, 10));
    expect(budget.free).toBe(90);
    sequence.drop();
    expect(sequence.count).toBe(0);
    expect(budget.free).toBe(100);
    await store.close();
  });
});
