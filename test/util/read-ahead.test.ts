import { describe, expect, it } from 'vitest';
import { readAhead } from '../../src/util/read-ahead.ts';

describe('readAhead', () => {
  it('has the next item under way while one is used, and no more', async () => {
    let produced = 0;
    const source = async function* () {
      for (; produced < 5; ) {
        produced += 1;
        yield produced;
      }
    };
    const seen: Array<[number, number]> = [];
    for await (const item of readAhead(source())) {
      await new Promise(setImmediate);
      seen.push([item, produced]);
    }
    expect(seen).toEqual([
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 5],
      [5, 5],
    ]);
  });

  it('throws the error of the source at its place and closes the source', async () => {
    let closed = false;
    const source = async function* () {
      try {
        yield 1;
        throw new Error('source');
      } finally {
        closed = true;
      }
    };
    const seen: number[] = [];
    const read = async () => {
      for await (const item of readAhead(source())) seen.push(item);
    };
    await expect(read()).rejects.toThrow('source');
    expect({ seen, closed }).toEqual({ seen: [1], closed: true });
  });
});
