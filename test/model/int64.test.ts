import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareInt64, int64, toInt64 } from '../../src/model/int64.ts';

const anyInteger = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 53n) - 3n, max: -(2n ** 53n) + 3n }),
  fc.bigInt({ min: 2n ** 53n - 3n, max: 2n ** 53n + 3n }),
  fc.constantFrom(0n, 2n ** 63n - 1n, -(2n ** 63n)),
);

describe('int64', () => {
  it('has one spelling for each integer, whatever it is made from', () => {
    fc.assert(
      fc.property(anyInteger, (integer) => {
        const made = toInt64(integer);
        expect(toInt64(integer.toString())).toBe(made);
        if (Number.isSafeInteger(Number(integer))) expect(toInt64(Number(integer))).toBe(made);
        expect(made).toBe(Number.isSafeInteger(Number(integer)) ? Number(integer) : integer.toString());
        expect(int64.safeParse(made).data).toBe(made);
      }),
    );
  });

  it('refuses what is no integer of 64 bits', () => {
    for (const value of [
      '',
      ' 1',
      '1.0',
      '1e3',
      '0x10',
      'NaN',
      '9223372036854775808',
      '-9223372036854775809',
      1.5,
      Number.NaN,
      Infinity,
      2n ** 63n,
    ]) {
      expect(toInt64(value)).toBeUndefined();
    }
  });

  it('refuses other spellings in records', () => {
    for (const value of [
      -0,
      2 ** 53,
      1.5,
      '1',
      '0',
      '-0',
      '09223372036854775807',
      '9007199254740991',
      '9223372036854775808',
      null,
      '',
    ]) {
      expect(int64.safeParse(value).success).toBe(false);
    }
    expect(int64.safeParse('9007199254740992').success).toBe(true);
  });

  it('makes 0 of -0', () => {
    expect(toInt64(-0)).toBe(0);
    expect(toInt64('-0')).toBe(0);
  });

  it('compares as integers', () => {
    fc.assert(
      fc.property(anyInteger, anyInteger, (a, b) => {
        const order = compareInt64(toInt64(a) ?? 0, toInt64(b) ?? 0);
        expect(Math.sign(order)).toBe(a < b ? -1 : a > b ? 1 : 0);
      }),
    );
  });
});
