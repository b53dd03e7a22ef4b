import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseRetryAfter, pause, retryDelay } from '../../src/util/retry.ts';

const policy = { retries: 7, factor: 500, jitter: 1000, cap: 120_000 };

describe('retryDelay', () => {
  it('doubles from the factor', () => {
    const waits = [0, 1, 2, 3].map((attempt) => retryDelay(policy, attempt, undefined, () => 0));
    expect(waits).toEqual([500, 1000, 2000, 4000]);
  });

  it('is never more than the cap, and never less than what the server asked for up to the cap', () => {
    fc.assert(
      fc.property(
        fc.nat(2000),
        fc.option(fc.nat(10 ** 9), { nil: undefined }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, retryAfter, chance) => {
          const wait = retryDelay(policy, attempt, retryAfter, () => chance);
          expect(wait).toBeLessThanOrEqual(policy.cap);
          expect(wait).toBeGreaterThanOrEqual(Math.min(policy.cap, retryAfter ?? 0, policy.cap));
        },
      ),
    );
  });

  it('adds at most the jitter', () => {
    expect(retryDelay(policy, 3, undefined, () => 0.5)).toBe(4500);
  });
});

describe('parseRetryAfter', () => {
  const now = Date.UTC(2026, 0, 1, 12, 0, 0);
  it.each([
    ['3', 3000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 12:00:10 GMT', 10_000],
    ['Thu, 01 Jan 2026 11:00:00 GMT', 0],
    ['soon', undefined],
    ['-1', undefined],
    ['', undefined],
  ])('%j', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });

  it('is undefined without the header', () => {
    expect(parseRetryAfter(undefined, now)).toBeUndefined();
  });
});

describe('pause', () => {
  it('ends with an AbortError when aborted', async () => {
    const abort = new AbortController();
    const waiting = pause(1_000_000, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });
});
