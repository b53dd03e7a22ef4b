import { describe, expect, it } from 'vitest';
import { fromServerJson } from '../../../src/model/json.ts';
import { fromDouble } from '../../../src/model/metric-value.ts';
import { includesPoint, listPoints, pointsOf } from '../../../src/model/points.ts';
import type { Point } from '../../../src/model/records.ts';
import { isSamePoint, parseMetric, sortedByTime } from '../../../src/places/server/read/points.ts';

describe('parseMetric', () => {
  it.each<[string, Point]>([
    ['{"value": 1.5, "timestamp": 1, "step": 2}', [2, 1, 1.5]],
    ['{"value": NaN, "timestamp": "1700000000000", "step": "-3"}', [-3, 1_700_000_000_000, 'NaN']],
    ['{"value": -0.0, "timestamp": 0, "step": 9223372036854775807}', ['9223372036854775807', 0, -0]],
    ['{"value": 9007199254740993}', [0, 0, 9_007_199_254_740_992]],
    ['{"value": 1e308}', [0, 0, 1e308]],
  ])('%s', (text, point) => {
    const { step, timestamp, value } = parseMetric(fromServerJson(text));
    expect([step, timestamp, fromDouble(value)]).toEqual(point);
  });

  it.each([
    'null',
    '[]',
    '{"value": null}',
    '{"value": "x"}',
    '{"value": 1, "step": 1.5}',
    '{"value": 1, "timestamp": 9223372036854775808}',
  ])('refuses %s', (text) => {
    expect(() => parseMetric(fromServerJson(text))).toThrow(expect.objectContaining({ code: 'NOT_MLFLOW' }));
  });
});

describe('sortedByTime', () => {
  it('orders by timestamp, step, value, with NaN as 0', () => {
    const ordered: Point[] = [
      [5, -1, 0],
      ['-9223372036854775808', 0, 0],
      [1, 0, '-Infinity'],
      [1, 0, -1],
      [1, 0, 'NaN'],
      [1, 0, 1],
      [1, 0, 'Infinity'],
      ['9223372036854775807', 0, 0],
      [0, 1, 0],
    ];
    expect(listPoints(sortedByTime(pointsOf(ordered.toReversed())))).toEqual(ordered);
  });
});

describe('isSamePoint', () => {
  it('takes 0 and -0 for the same, NaN too', () => {
    for (const [a, b, same] of [
      [0, -0, true],
      ['NaN', 'NaN', true],
      [0, 'NaN', false],
      ['Infinity', '-Infinity', false],
      ['Infinity', 'Infinity', true],
    ] as const) {
      expect(isSamePoint([1, 2, a], [1, 2, b])).toBe(same);
      expect(
        includesPoint(
          pointsOf([
            [0, 2, b],
            [1, 2, b],
          ]),
          [1, 2, a],
        ),
      ).toBe(same);
      expect(
        includesPoint(
          pointsOf([
            [0, 2, b],
            [1, 3, b],
          ]),
          [1, 2, a],
        ),
      ).toBe(false);
    }
  });
});
