import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatMetricsLine, scanMetricsLine } from '../../src/kinds/metrics-line.ts';
import { fixedRecord } from '../../src/kinds/wire-record.ts';
import { toJson } from '../../src/model/json.ts';
import type { MetricValue } from '../../src/model/metric-value.ts';
import { createPointCollector, PointColumns } from '../../src/model/point-columns.ts';
import type { Point } from '../../src/model/records.ts';

const integer = fc.oneof(
  fc.maxSafeInteger().map((number) => number + 0),
  fc.constantFrom(0, 1, -1, '9007199254740993', '-9223372036854775808'),
);
const value: fc.Arbitrary<MetricValue> = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.constantFrom<MetricValue>('NaN', 'Infinity', '-Infinity', -0, 0, 5e-324, 1e21, Number.MAX_VALUE),
);
const points = fc.array(fc.tuple(integer, integer, value), { minLength: 1, maxLength: 20 });
const text = fc.string({ unit: 'grapheme' });
const record = fc.record({ run_id: fc.string({ minLength: 1 }), key: text, points });

/** The same points in columns, where they fit. */
function collected(list: readonly Point[]) {
  const collector = createPointCollector();
  for (const point of list) collector.addPoint(point);
  return collector.take();
}

const lineOf = (content: string) => Buffer.from(`${content}\n`);
const asJson = (list: Iterable<Point>) => toJson([...list]);

describe('a metrics line', () => {
  it('has the same text from columns and from tuples, and gives back the very same points', () => {
    fc.assert(
      fc.property(record, ({ run_id, key, points: list }) => {
        const line = formatMetricsLine({ kind: 'metrics', run_id, key, points: collected(list) });
        expect(line).toBe(toJson({ kind: 'metrics', run_id, key, points: list }));
        const isSafe = list.every(([a, b]) => [a, b].every((n) => String(n).replace('-', '').length <= 15));
        const scanned = scanMetricsLine(lineOf(line));
        // Half a character is no UTF-8: the strict way sees it.
        if (!isSafe || !`${run_id}${key}`.isWellFormed()) return;
        expect(scanned).toMatchObject({ kind: 'metrics', run_id, key });
        expect(scanned?.points).toBeInstanceOf(PointColumns);
        expect(asJson(scanned?.points ?? [])).toBe(asJson(list));
        expect(scanMetricsLine(lineOf(line), false)?.points.length).toBe(list.length);
      }),
      { numRuns: 500 },
    );
  });

  it('is taken only if the schema takes it, and then means the same, however it is damaged', () => {
    const damaged = fc
      .tuple(record, fc.nat(), fc.constantFrom(...'0123456789-+.eE,[]{}"\\ \u0000xN'), fc.nat(2))
      .map(([{ run_id, key, points: list }, seed, character, how]) => {
        const line = formatMetricsLine({ kind: 'metrics', run_id, key, points: list });
        const at = seed % line.length;
        const rest = line.slice(how === 0 ? at : at + 1);
        return line.slice(0, at) + (how === 2 ? '' : character) + rest;
      });
    fc.assert(
      fc.property(damaged, (line) => {
        const scanned = scanMetricsLine(lineOf(line));
        const counted = scanMetricsLine(lineOf(line), false);
        expect(counted?.points.length).toBe(scanned?.points.length);
        if (scanned === undefined) return;
        const strict = fixedRecord.safeParse(JSON.parse(lineOf(line).toString()));
        expect(strict.success).toBe(true);
        if (strict.data?.kind !== 'metrics') throw new Error('another kind');
        expect(asJson(strict.data.points)).toBe(asJson(scanned.points));
        expect({ ...strict.data, points: [] }).toEqual({ ...scanned, points: [] });
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    ['two keys', '{"kind":"metrics","run_id":"a","key":"b","key":"c","points":[[0,0,1]]}'],
    ['a number that is not finite', '{"kind":"metrics","run_id":"a","key":"b","points":[[0,0,1e999]]}'],
    ['-0 as a step', '{"kind":"metrics","run_id":"a","key":"b","points":[[-0,0,1]]}'],
    ['a step with a leading zero', '{"kind":"metrics","run_id":"a","key":"b","points":[[01,0,1]]}'],
    ['no points', '{"kind":"metrics","run_id":"a","key":"b","points":[]}'],
    ['a fraction as a step', '{"kind":"metrics","run_id":"a","key":"b","points":[[1.5,0,1]]}'],
    [
      '1001 points',
      `{"kind":"metrics","run_id":"a","key":"b","points":[${Array(1001).fill('[0,0,1]').join()}]}`,
    ],
    ['an empty run id', '{"kind":"metrics","run_id":"","key":"b","points":[[0,0,1]]}'],
  ])('is left to the schema when it has %s', (_, line) => {
    expect(scanMetricsLine(lineOf(line))).toBeUndefined();
    expect(scanMetricsLine(lineOf(line), false)).toBeUndefined();
  });
});
