import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { latestOf } from '../../../src/model/mlflow/latest-points.ts';
import { listPoints, pointsOf } from '../../../src/model/points.ts';
import { pointsToJson, scanPoints } from '../../../src/model/points-json.ts';
import { formatMetricLines } from '../../../src/places/filestore/layout/metric-lines.ts';
import { anyPoint } from '../arbitraries.ts';

const values = [0, -0, 7, -7, 0.1, 1e-7, 1e15, 9999999999999998, 1e16, -1e16, 1e21, 5e-324];
const anyPoints = fc.array(
  fc
    .tuple(fc.integer({ min: -3, max: 3 }), fc.nat(5), fc.oneof(anyPoint, fc.constantFrom(...values)))
    .map(([step, timestamp, of]) => [step, timestamp, typeof of === 'number' ? of : of[2]] as const),
  { minLength: 1, maxLength: 30 },
);

/** The same points as they stand in a file, without columns. */
function standing(list: Parameters<typeof pointsOf>[0]) {
  const json = Buffer.from(pointsToJson(pointsOf(list)));
  const found = scanPoints(json, 0, list.length);
  if (found?.end !== json.length) throw new Error(`not found whole: ${json}`);
  return found.points;
}

describe('points that stand as JSON', () => {
  it('become the same lines, the same latest point and the same columns as the columns do', () => {
    fc.assert(
      fc.property(anyPoints, (points) => {
        const list = points.map(([step, timestamp, value]): [number, number, typeof value] => [
          step,
          timestamp,
          value,
        ]);
        expect(formatMetricLines(standing(list)).toString()).toBe(
          formatMetricLines(pointsOf(list)).toString(),
        );
        for (const known of [undefined, list[0]])
          expect(latestOf(standing(list), known)).toEqual(latestOf(pointsOf(list), known));
        const used = standing(list);
        expect(listPoints(used)).toEqual(list);
        expect(used.json).toBeUndefined();
        expect(latestOf(used, undefined)).toEqual(latestOf(pointsOf(list), undefined));
      }),
    );
  });

  it('keep the digits of a number that is spelled in another way', () => {
    const json = Buffer.from('[[1,2,1.50],[2,3,1E2],[3,4,12]]');
    const points = scanPoints(json, 0, 3)?.points;
    expect(points && formatMetricLines(points).toString()).toBe('2 1.50 1\n3 1E2 2\n4 12.0 3\n');
    expect(points && listPoints(points)).toEqual([
      [1, 2, 1.5],
      [2, 3, 100],
      [3, 4, 12],
    ]);
  });
});
