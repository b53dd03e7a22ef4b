import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Point } from '../../../src/model/records.ts';
import {
  formatMetricLine,
  parseMetricLine,
  readMetricFile,
} from '../../../src/places/filestore/layout/metric-file.ts';
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
  for await (const chunk of readMetricFile(path)) points.push(...chunk.points);
  return points;
}

describe('metric lines', () => {
  it('are read back to the same point', () => {
    fc.assert(
      fc.property(anyPoint, (point) => {
        expect(parseMetricLine(formatMetricLine(point))?.point).toEqual(point);
      }),
    );
  });

  it('are read quickly as they are read one by one, also when they are damaged', async () => {
    const token = fc.oneof(
      anyPoint.map((point) => formatMetricLine(point).trim()),
      fc.string({ unit: fc.constantFrom(...'0123456789 .-+eEinfa'), maxLength: 12 }),
      fc.constantFrom(
        '1 0.5',
        '1 0.5 7 data abc',
        '01 1 0',
        '1 .5 -0',
        '1 5. 0',
        '1 1e999 3',
        '1 -0.0 0',
        '\r',
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(token, { maxLength: 6 }), async (lines) => {
        const path = join(dir, 'damaged');
        await writeFile(path, lines.map((line) => `${line}\n`).join(''));
        const full = lines.filter((line) => line.trim() !== '');
        const wanted = full.map((line) => parseMetricLine(line)?.point);
        if (wanted.includes(undefined))
          await expect(read(path)).rejects.toMatchObject({ code: 'SOURCE_ITEM' });
        else expect(await read(path)).toEqual(wanted);
      }),
      { numRuns: 400 },
    );
  });

  it('of every MLflow are read', () => {
    expect(parseMetricLine('1 0.5')?.point).toEqual([0, 1, 0.5]);
    expect(parseMetricLine('1 0.5 7')?.point).toEqual([7, 1, 0.5]);
    expect(parseMetricLine('1 0.5 7 data abc')).toEqual({ point: [7, 1, 0.5], dataset: true });
    expect(parseMetricLine('1 0.5 7 name of data abc')).toEqual({ point: [7, 1, 0.5], dataset: true });
    expect(parseMetricLine('9007199254740993 nan -7')?.point).toEqual([-7, '9007199254740993', 'NaN']);
    expect(parseMetricLine('1 -inf 0')?.point).toEqual([0, 1, '-Infinity']);
    expect(parseMetricLine('1 9007199254740993 0')?.point).toEqual([0, 1, 9007199254740992]);
    expect(parseMetricLine('1 1e+22 3.0\r')?.point).toEqual([3, 1, 1e22]);
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
      expect(parseMetricLine(broken), broken).toBeUndefined();
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
          await writer.append(key, present);
          await writer.close();
          const known = createKnownPoints(join(dir, key));
          const missing = [...(await known.missing(all.slice(0, 5))), ...(await known.missing(all.slice(5)))];
          await known.close();
          await writer.append(key, missing);
          await writer.close();
          const tally = (points: readonly Point[]) => {
            const counts = new Map<string, number>();
            for (const point of points)
              counts.set(formatMetricLine(point), (counts.get(formatMetricLine(point)) ?? 0) + 1);
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
