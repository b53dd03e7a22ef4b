import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromDouble } from '../../../src/model/metric-value.ts';
import { listPoints, pointsOf } from '../../../src/model/points.ts';
import type { Point } from '../../../src/model/records.ts';
import { readMetricFile } from '../../../src/places/filestore/layout/metric-file.ts';
import {
  createMetricLines,
  formatMetricLines,
  parseMetricLine,
} from '../../../src/places/filestore/layout/metric-lines.ts';
import {
  createKnownPoints,
  createMetricWriter,
  dropTornEnd,
} from '../../../src/places/filestore/write/metric-writer.ts';
import { anyPoint } from '../arbitraries.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'metric-file-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(path: string): Promise<Point[]> {
  const points: Point[] = [];
  for await (const chunk of readMetricFile(path)) points.push(...listPoints(chunk.points));
  return points;
}

/** A line by its text, and whether a dataset is named. */
function slow(text: string): { point: Point; dataset: boolean } | undefined {
  const line = parseMetricLine(text);
  return line && { point: [line.step, line.timestamp, fromDouble(line.value)], dataset: line.dataset };
}

const lineOf = (point: Point) => formatMetricLines(pointsOf([point])).toString();

/** Numbers and words as they may stand in a line, and what is near them. */
const anyField = fc.oneof(
  anyPoint.map(([step]) => String(step)),
  anyPoint.map(([, , value]) => lineOf([0, 0, value]).split(' ')[1] ?? ''),
  fc.stringMatching(/^[-+]?[0-9]{0,18}(\.[0-9]{0,3})?([eE][-+]?[0-9]{0,3})?$/),
  fc.constantFrom('nan', '-inf', 'INFINITY', '1e400', '007', '-0', '-0.0', '+5', '1_0', '', 'x', 'é', '\r'),
);

describe('metric lines', () => {
  it('are read back to the same point, one by one and together', () => {
    fc.assert(
      fc.property(fc.array(anyPoint, { maxLength: 30 }), (points) => {
        expect(points.map((point) => slow(lineOf(point))?.point)).toEqual(points);
        const bytes = formatMetricLines(pointsOf(points));
        expect(bytes.toString()).toBe(points.map(lineOf).join(''));
        const lines = createMetricLines();
        for (let at = 0; at < bytes.length; at = bytes.indexOf('\n', at) + 1)
          expect(lines.take(bytes, at, bytes.indexOf('\n', at))).toBe(true);
        expect(listPoints(lines.end().points)).toEqual(points);
      }),
    );
  });

  it('of any fields mean the same, whichever way they are read', () => {
    fc.assert(
      fc.property(fc.array(anyField, { minLength: 1, maxLength: 6 }), (fields) => {
        const text = fields.join(' ');
        const bytes = Buffer.from(`before\n${text}\nafter`);
        const lines = createMetricLines();
        const taken = lines.take(bytes, 7, bytes.indexOf('\n', 7));
        const expected = slow(Buffer.from(text).toString('latin1'));
        expect(taken).toBe(expected !== undefined || text.trim() === '');
        expect(listPoints(lines.end().points)).toEqual(expected === undefined ? [] : [expected.point]);
      }),
      { numRuns: 2000 },
    );
  });

  it('of every MLflow are read', () => {
    expect(slow('1 0.5')?.point).toEqual([0, 1, 0.5]);
    expect(slow('1 0.5 7')?.point).toEqual([7, 1, 0.5]);
    expect(slow('1 0.5 7 data abc')).toEqual({ point: [7, 1, 0.5], dataset: true });
    expect(slow('1 0.5 7 name of data abc')).toEqual({ point: [7, 1, 0.5], dataset: true });
    expect(slow('9007199254740993 nan -7')?.point).toEqual([-7, '9007199254740993', 'NaN']);
    expect(slow('1 -inf 0')?.point).toEqual([0, 1, '-Infinity']);
    expect(slow('1 9007199254740993 0')?.point).toEqual([0, 1, 9007199254740992]);
    expect(slow('1 1e+22 3.0\r')?.point).toEqual([3, 1, 1e22]);
    for (const broken of [
      '',
      '1',
      '1 x 0',
      'x 1 0',
      '1 1 0 four',
      '1 1 1.5',
      '1 0x10 0',
      '99999999999999999999 1 0',
      '1  1 0',
    ]) {
      expect(slow(broken), broken).toBeUndefined();
    }
  });

  it('that are broken are named by file and number', async () => {
    const path = join(dir, 'broken');
    await writeFile(path, '1 1.0 0\n2 1.0 1\nnonsense\n');
    await expect(read(path)).rejects.toMatchObject({
      code: 'SOURCE_ITEM',
      message: `${path}, line 3 is not a metric value`,
    });
  });
});

describe('a metric file', () => {
  it('keeps order and duplicates, and its last line needs no line end', async () => {
    const path = join(dir, 'plain');
    await writeFile(path, '5 1.0 2\n4 1.0 1\n5 1.0 2\n\n6 2.0 3');
    expect(await read(path)).toEqual([
      [2, 5, 1],
      [1, 4, 1],
      [2, 5, 1],
      [3, 6, 2],
    ]);
  });

  it('gets exactly the points that it does not hold, as a multiset', async () => {
    const few = anyPoint.map((point): Point => [Number(BigInt(point[0]) % 3n), 1, point[2]]);
    let count = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(few, { maxLength: 12 }),
        fc.array(few, { maxLength: 12 }),
        fc.nat(6),
        async (present, source, shared) => {
          count += 1;
          const key = `m${count}`;
          const all = [...present.slice(0, shared), ...source];
          const writer = createMetricWriter(dir);
          await writer.append(key, pointsOf(present));
          await writer.close();
          const known = createKnownPoints(join(dir, key));
          const missing = [];
          for (const part of [all.slice(0, 5), all.slice(5)])
            missing.push(...listPoints(await known.missing(pointsOf(part))));
          await known.close();
          await writer.append(key, pointsOf(missing));
          await writer.close();
          const tally = (points: readonly Point[]) => {
            const counts = new Map<string, number>();
            for (const point of points) counts.set(lineOf(point), (counts.get(lineOf(point)) ?? 0) + 1);
            return counts;
          };
          const [before, wanted] = [tally(present), tally(all)];
          const expected = new Map(before);
          for (const [line, times] of wanted) expected.set(line, Math.max(times, before.get(line) ?? 0));
          expect(tally(await read(join(dir, key)))).toEqual(expected);
        },
      ),
    );
  });

  it('loses what a crash left of a line, nothing else', async () => {
    const path = join(dir, 'torn');
    await writeFile(path, '1 1.0 0\n2 1.');
    await dropTornEnd(path);
    expect(await read(path)).toEqual([[0, 1, 1]]);
    await dropTornEnd(path);
    expect(await read(path)).toEqual([[0, 1, 1]]);
    await writeFile(path, '1 1.');
    await dropTornEnd(path);
    expect(await read(path)).toEqual([]);
  });
});
