import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMAT_VERSION } from '../../src/kinds/kinds.ts';
import { canonicalLine, parseRecord, recordProblem } from '../../src/kinds/wire-record.ts';
import { toJson } from '../../src/model/json.ts';
import { type MetricsRecord, metricsLine, scanMetricsLine } from '../../src/model/metrics-line.ts';
import {
  buildPoints,
  filterPoints,
  listPoints,
  pointAt,
  pointsOf,
  slicePoints,
} from '../../src/model/points.ts';
import type { Point } from '../../src/model/records.ts';
import { anyPoint } from '../places/arbitraries.ts';

/** Points as they are logged: integers below 2^53. */
const usualPoint = fc
  .tuple(fc.integer(), fc.nat(2_000_000_000_000), anyPoint)
  .map(([step, timestamp, [, , value]]): Point => [step, timestamp, value]);
const anyPoints = fc.oneof(
  fc.array(anyPoint, { minLength: 1, maxLength: 40 }),
  fc.array(usualPoint, { minLength: 1, maxLength: 40 }),
);
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('loss', 'a/b', '"', '\\', '\u0000', '\ud800'),
);
const anyRecord = fc.tuple(anyText, anyText, anyPoints).map(
  ([id, key, points]): MetricsRecord => ({
    kind: 'metrics',
    run_id: `${id}.`,
    key,
    points: pointsOf(points),
  }),
);

/** What the slow way makes of a line: the record as one text, or that it is none. */
function slow(line: Uint8Array): string | undefined {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch {
    return undefined;
  }
  const { record } = parseRecord(value, FORMAT_VERSION);
  return record?.kind === 'metrics' ? textOf(record) : undefined;
}

const textOf = ({ points, ...rest }: MetricsRecord) => toJson({ ...rest, points: listPoints(points) });

describe('columns of points', () => {
  it('hold every point exactly', () => {
    fc.assert(
      fc.property(anyPoints, fc.nat(50), fc.nat(50), (list, from, to) => {
        const points = pointsOf(list);
        expect(listPoints(points)).toEqual(list);
        expect(listPoints(buildPoints(points))).toEqual(list);
        expect(listPoints(slicePoints(points, from, to))).toEqual(list.slice(from, to));
        const isEven = (step: Point[0]) => BigInt(step) % 2n === 0n;
        expect(listPoints(filterPoints(points, isEven))).toEqual(list.filter(([step]) => isEven(step)));
        expect(() => pointAt(points, list.length)).toThrow(RangeError);
      }),
    );
  });

  it('are refused as records when they are not what records hold', () => {
    const problem = (list: Point[], run_id = 'r') =>
      recordProblem({ kind: 'metrics', run_id, key: 'k', points: pointsOf(list) })?.path;
    expect(problem([[1, 2, 'NaN']])).toBeUndefined();
    expect(problem([['9223372036854775807', 2, -0]])).toBeUndefined();
    expect(problem([])).toBe('points');
    expect(problem(Array(1001).fill([0, 0, 0]))).toBe('points');
    expect(problem([[0, 0, 0]], '')).toBe('run_id');
    for (const wrong of [-0, 1.5, Number.NaN, 2 ** 53, '5', '9223372036854775808']) {
      expect(
        problem([
          [0, 0, 0],
          [wrong, 0, 0],
        ]),
        String(wrong),
      ).toMatch(/^points\.1\.0/);
      expect(problem([[0, wrong, 0]]), String(wrong)).toMatch(/^points\.0\.1/);
    }
  });
});

describe('a metrics line', () => {
  it('is the JSON of its record, and read back by bytes or not at all', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const line = metricsLine(record);
        expect(line.toString()).toBe(`${textOf(record)}\n`);
        expect(canonicalLine(record)).toBe(textOf(record));
        expect(slow(line)).toBe(textOf(record));
        const scanned = scanMetricsLine(line);
        const isPlain = [record.points.steps, record.points.timestamps]
          .flat()
          .every((integer) => Math.abs(Number(integer)) < 1e15);
        const isUnescaped = JSON.stringify([record.run_id, record.key]).includes('\\') === false;
        if (isPlain && isUnescaped) expect(scanned).toBeDefined();
        if (scanned !== undefined) expect(textOf(scanned)).toBe(textOf(record));
      }),
    );
  });

  it('that is damaged anywhere means by bytes what it means the slow way, or is left to it', () => {
    const anyByte = fc.oneof(fc.nat(255), fc.constantFrom(...Buffer.from('0123456789-+.eE,[]{}":\\ \n\r')));
    const anyDamage = fc.tuple(fc.constantFrom('replace', 'insert', 'remove'), fc.nat(), anyByte);
    const integers = fc.constantFrom(
      '0',
      '-7',
      '12',
      '-0',
      '00',
      '1.0',
      '1e3',
      '999999999999999',
      '-999999999999999',
      '1000000000000000',
      '"9223372036854775807"',
    );
    const numbers = fc.constantFrom(
      '1',
      '-2.5',
      '1e400',
      '-1e400',
      '-0',
      '-0.0',
      '00',
      '01.5',
      '1.',
      '.5',
      '1e',
      '1E5',
      '1e+5',
      '"NaN"',
      '"nan"',
      '"-Infinity"',
      'NaN',
      'null',
      '[]',
      '123456789012345',
      '1234567890123456',
      '"9223372036854775807"',
      '"1"',
    );
    const anyLine = fc.oneof(
      anyRecord.map((record) => metricsLine(record)),
      fc
        .array(fc.tuple(integers, integers, numbers), { maxLength: 4 })
        .map((points) =>
          Buffer.from(
            `{"kind":"metrics","run_id":"r","key":"k","points":[${points.map((point) => `[${point}]`)}]}\n`,
          ),
        ),
    );
    let same = 0;
    fc.assert(
      fc.property(anyLine, fc.array(anyDamage, { maxLength: 3 }), (whole, damages) => {
        let line: Buffer = whole;
        for (const [how, where, byte] of damages) {
          const at = where % (line.length + 1);
          const rest = line.subarray(how === 'insert' ? at : at + 1);
          line = Buffer.concat([line.subarray(0, at), Buffer.from(how === 'remove' ? [] : [byte]), rest]);
        }
        const scanned = scanMetricsLine(line);
        if (scanned === undefined) return;
        same += 1;
        expect(textOf(scanned)).toBe(slow(line));
      }),
      { numRuns: 5000 },
    );
    expect(same).toBeGreaterThan(100);
  });

  it.each([
    ['two keys', '"r","key":"b","key":"c","points":[[0,0,1]]'],
    ['a number that is not finite', '"r","key":"b","points":[[0,0,1e999]]'],
    ['-0 as a step', '"r","key":"b","points":[[-0,0,1]]'],
    ['a step with a leading zero', '"r","key":"b","points":[[01,0,1]]'],
    ['no points', '"r","key":"b","points":[]'],
    ['a fraction as a step', '"r","key":"b","points":[[1.5,0,1]]'],
    ['1001 points', `"r","key":"b","points":[${Array(1001).fill('[0,0,1]').join()}]`],
    ['an empty run id', '"","key":"b","points":[[0,0,1]]'],
  ])('is left to the slow way when it has %s', (_, rest) => {
    expect(scanMetricsLine(Buffer.from(`{"kind":"metrics","run_id":${rest}}\n`))).toBeUndefined();
  });
});
