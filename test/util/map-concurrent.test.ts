import { describe, expect, it } from 'vitest';
import { mapConcurrent } from '../../src/util/map-concurrent.ts';

describe('mapConcurrent', () => {
  it('runs every item, in order of start, never more than the limit at once and none pulled ahead', async () => {
    const started: number[] = [];
    let running = 0;
    let most = 0;
    let pulled = 0;
    const items = function* () {
      for (let i = 0; i < 20; i += 1) {
        pulled += 1;
        yield i;
      }
    };
    await mapConcurrent(items(), 3, async (item) => {
      started.push(item);
      running += 1;
      most = Math.max(most, running);
      expect(pulled - started.length).toBeLessThanOrEqual(1);
      await new Promise(setImmediate);
      running -= 1;
    });
    expect(started).toEqual([...Array(20).keys()]);
    expect(most).toBe(3);
  });

  it('stops the intake on an error, waits for what runs, and throws the first error', async () => {
    const finished: number[] = [];
    const job = mapConcurrent([0, 1, 2, 3, 4, 5, 6, 7], 2, async (item) => {
      if (item === 1) throw new Error('one');
      await new Promise(setImmediate);
      finished.push(item);
    });
    await expect(job).rejects.toThrow('one');
    expect(finished).toEqual([0]);
  });

  it('passes on an error of the source after what runs has ended', async () => {
    const finished: number[] = [];
    const items = async function* () {
      yield 0;
      throw new Error('source');
    };
    const job = mapConcurrent(items(), 2, async (item) => {
      await new Promise(setImmediate);
      finished.push(item);
    });
    await expect(job).rejects.toThrow('source');
    expect(finished).toEqual([0]);
  });
});
