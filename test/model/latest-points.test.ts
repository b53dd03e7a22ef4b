import { expect, it } from 'vitest';
import { latestPoints } from '../../src/model/mlflow/latest-points.ts';
import { pointsOf } from '../../src/model/points.ts';
import type { Point } from '../../src/model/records.ts';

it.each<[string, Point[], Point]>([
  [
    'the greatest step',
    [
      [2, 0, 1],
      [1, 9, 9],
    ],
    [2, 0, 1],
  ],
  [
    'of equal steps the greatest timestamp',
    [
      [1, 5, 1],
      [1, 4, 9],
    ],
    [1, 5, 1],
  ],
  [
    'of those the greatest value',
    [
      [1, 5, 1],
      [1, 5, 2],
    ],
    [1, 5, 2],
  ],
  [
    'NaN counting as 0',
    [
      [1, 5, 'NaN'],
      [1, 5, -1],
    ],
    [1, 5, 'NaN'],
  ],
  [
    'a positive value before NaN',
    [
      [1, 5, 'NaN'],
      [1, 5, 1],
    ],
    [1, 5, 1],
  ],
  [
    'infinities',
    [
      [1, 5, '-Infinity'],
      [1, 5, 'Infinity'],
      [1, 5, 0],
    ],
    [1, 5, 'Infinity'],
  ],
  [
    'steps beyond 2^53',
    [
      ['9223372036854775806', 0, 1],
      ['9223372036854775807', 0, 0],
    ],
    ['9223372036854775807', 0, 0],
  ],
  [
    'negative steps',
    [
      [-1, 0, 1],
      [-2, 0, 2],
    ],
    [-1, 0, 1],
  ],
])('takes %s', async (_name, points, latest) => {
  const pieces = async function* () {
    for (const point of points) yield { key: '__proto__', points: pointsOf([point]) };
  };
  expect(Object.entries(await latestPoints(pieces()))).toEqual([['__proto__', latest]]);
});
