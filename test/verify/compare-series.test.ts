import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareInt64 } from '../../src/model/int64.ts';
import { toJson } from '../../src/model/json.ts';
import type { Point } from '../../src/model/records.ts';
import { compareSeries, EXACT } from '../../src/verify/compare-series.ts';
import { anyPoint } from '../places/arbitraries.ts';
import { makeRun, memoryRunReader } from '../places/memory-workspace.ts';

const SQL = { ...EXACT, merges: true, exact: false, negativeTimestamps: false };
const quiet = () => undefined;

type Series = Readonly<Record<string, readonly Point[]>>;

async function reader(series: Series) {
  const metrics = Object.entries(series)
    .filter(([, points]) => points.length > 0)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return memoryRunReader(await makeRun({ latest_metrics: {} }, metrics));
}

async function compare(source: Series, target: Series, rules = EXACT) {
  return compareSeries(await reader(source), await reader(target), rules, quiet);
}

/** The texts that the one list has more often than the other. */
function surplus(points: readonly Point[], others: readonly Point[]): string[] {
  const rest = others.map((point) => toJson(point));
  return points
    .map((point) => toJson(point))
    .filter((text) => {
      const at = rest.indexOf(text);
      if (at >= 0) rest.splice(at, 1);
      return at < 0;
    });
}

describe('series', () => {
  test('any two series differ in what the one multiset has and the other lacks', async () => {
    const pool = fc.array(anyPoint, { minLength: 1, maxLength: 6 });
    const both = pool.chain((points) => {
      const some = fc.array(fc.constantFrom(...points), { maxLength: 12 });
      return fc.record({ a: some, b: some });
    });
    await fc.assert(
      fc.asyncProperty(both, async ({ a, b }) => {
        const { differences, points } = await compare({ loss: a }, { loss: b });
        const missing = surplus(a, b).length;
        const extra = surplus(b, a).length;
        expect(points).toBe(a.length);
        expect(differences.length).toBe(missing + extra > 0 ? 1 : 0);
        expect(differences[0]?.only_in_source ?? 0).toBe(missing);
        expect(differences[0]?.only_in_target ?? 0).toBe(extra);
        const first = differences[0]?.first;
        if (first === undefined) return;
        const all = [...a, ...b].filter((point) =>
          [...surplus(a, b), ...surplus(b, a)].includes(toJson(point)),
        );
        const earliest = all.toSorted((x, y) => compareInt64(x[0], y[0]) || compareInt64(x[1], y[1]))[0];
        expect([first.step, first.timestamp]).toEqual(earliest?.slice(0, 2));
      }),
    );
  });

  test('the order of the points does not matter', async () => {
    const points = Array.from({ length: 5000 }, (_, step): Point => [step, 1000 + step, step / 3]);
    const { differences } = await compare({ a: points, b: points }, { a: points.toReversed(), b: points });
    expect(differences).toEqual([]);
  });

  test('the first differing point is named, with both values where both have one there', async () => {
    const points = Array.from({ length: 2500 }, (_, step): Point => [step, 1000 + step, 0.5]);
    const other = points.with(2001, [2001, 3001, 0.25]).with(2400, [2400, 3400, 7]);
    expect((await compare({ loss: points }, { loss: other })).differences).toEqual([
      {
        key: 'loss',
        only_in_source: 2,
        only_in_target: 2,
        first: { step: 2001, timestamp: 3001, source: 0.5, target: 0.25 },
      },
    ]);
  });

  test('keys that only one side has', async () => {
    const { differences } = await compare(
      { a: [[0, 1, 1]], c: [[0, 1, 1]] },
      { b: [[0, 1, 2]], c: [[0, 1, 1]] },
    );
    expect(differences.map(({ key, first }) => [key, first.source, first.target])).toEqual([
      ['a', 1, null],
      ['b', null, 2],
    ]);
  });

  test('what a SQL store changes is a loss, and nothing else is', async () => {
    const source: Series = {
      doubled: [
        [1, 5, 1],
        [2, 6, 2],
        [1, 5, 1],
        [1, 5, 1],
      ],
      early: [
        [0, -1, 1],
        [1, 0, 1],
      ],
      wide: [
        [0, 1, 'Infinity'],
        [1, 1, '-Infinity'],
        [2, 1, -0],
        [3, 1, 'NaN'],
      ],
    };
    const target: Series = {
      doubled: [
        [1, 5, 1],
        [2, 6, 2],
      ],
      early: [[1, 0, 1]],
      wide: [
        [0, 1, Number.MAX_VALUE],
        [1, 1, -Number.MAX_VALUE],
        [2, 1, 0],
        [3, 1, 'NaN'],
      ],
    };
    const found = await compare(source, target, SQL);
    expect(found.differences).toEqual([]);
    expect(Object.fromEntries(found.losses.map(({ code, count }) => [code, count]))).toEqual({
      DUPLICATE_POINTS: 2,
      TIMESTAMP_NOT_ALLOWED: 1,
      INFINITY_CLAMPED: 2,
      NEGATIVE_ZERO: 1,
    });
    const exact = await compare(source, target);
    expect(exact.losses).toEqual([]);
    expect(exact.differences.map(({ key }) => key)).toEqual(['doubled', 'early', 'wide']);
  });

  test('a key that the target refuses is a loss with all its points', async () => {
    const rules = { ...SQL, problemOf: (key: string) => (key === 'a:b' ? 'no colons' : undefined) };
    const found = await compare({ 'a:b': [[0, 1, 1]], ok: [[0, 1, 1]] }, { ok: [[0, 1, 1]] }, rules);
    expect(found).toMatchObject({ differences: [], refused: 1 });
    expect(found.losses).toMatchObject([{ code: 'KEY_NOT_ALLOWED', key: 'a:b', count: 1 }]);
  });
});
