import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createSeriesSummary } from '../../src/look/series-summary.ts';
import { sparkline } from '../../src/look/sparkline.ts';
import { columns } from '../../src/model/points.ts';

const summaryOf = (values: readonly number[], most: number) => {
  const summary = createSeriesSummary(most);
  // In pieces, as places give them.
  for (let from = 0; from < values.length; from += 7) {
    const part = values.slice(from, from + 7);
    const steps = part.map((_, index) => from + index);
    summary.add(columns(steps, steps, part));
  }
  return summary.end();
};

it('a history in short has its count, its extremes, and few points among which these are', () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ noNaN: false }), { maxLength: 400 }),
      fc.integer({ min: 4, max: 60 }),
      (values, most) => {
        const { count, min, max, points } = summaryOf(values, most);
        const known = values.filter((value) => !Number.isNaN(value));
        expect(count).toBe(values.length);
        expect(points.length).toBeLessThanOrEqual(most);
        expect(points.length).toBeGreaterThanOrEqual(Math.min(values.length, most / 4));
        if (known.length === 0) expect([min, max]).toEqual([undefined, undefined]);
        else {
          // 0 and -0 are equal.
          expect((min?.value ?? Number.NaN) + 0).toBe(Math.min(...known) + 0);
          expect((max?.value ?? Number.NaN) + 0).toBe(Math.max(...known) + 0);
          expect(points.some(({ value }) => value === min?.value)).toBe(true);
          expect(points.some(({ value }) => value === max?.value)).toBe(true);
        }
        const steps = points.map(({ step }) => Number(step));
        expect(steps).toEqual([...new Set(steps)].toSorted((a, b) => a - b));
      },
    ),
  );
});

it('a sparkline has a bar for each stretch', () => {
  expect(sparkline([0, 1, 2, 3, 4, 5, 6, 7], 8)).toBe('▁▂▃▄▅▆▇█');
  expect(sparkline([1, 1], 8)).toBe('▅▅');
  expect(sparkline([Number.NaN, 1, Number.POSITIVE_INFINITY, 2], 4)).toBe(' ▁ █');
  expect(sparkline([], 4)).toBe('');
  expect(sparkline([Number.MAX_VALUE, -Number.MAX_VALUE], 4)).toBe('█▁');
});
