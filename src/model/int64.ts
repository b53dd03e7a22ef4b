import { z } from 'zod';

/**
 * A signed 64-bit integer as it stands in records: a JSON number when it is safe (|n| < 2^53), else a decimal
 * string. There is one spelling of each integer, so records compare by their text.
 */
export type Int64 = number | string;

const MIN = -(2n ** 63n);
const MAX = 2n ** 63n - 1n;

const isCanonicalText = (text: string) => {
  if (!/^-?[1-9]\d{15,18}$/.test(text)) return false;
  const integer = BigInt(text);
  return integer >= MIN && integer <= MAX && !Number.isSafeInteger(Number(integer));
};

/** Whether an {@link Int64} has its one spelling. */
export function isInt64(integer: Int64): boolean {
  return typeof integer === 'number'
    ? Number.isSafeInteger(integer) && !Object.is(integer, -0)
    : isCanonicalText(integer);
}

/** zod schema of {@link Int64}. */
export const int64 = z.union([
  z.int().refine((integer) => !Object.is(integer, -0), '-0 is no spelling of an integer'),
  z
    .string()
    .regex(/^-?[1-9]\d{15,18}$/)
    .refine(isCanonicalText, 'not an integer beyond 2^53 within 64 bits'),
]);

/**
 * The {@link Int64} of a number or decimal text from outside (REST answers give either). `undefined` when it is
 * not an integer of at most 64 bits.
 */
export function toInt64(value: number | string | bigint): Int64 | undefined {
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  if (typeof value === 'string' && !/^-?\d{1,20}$/.test(value)) return undefined;
  if (typeof value === 'number' && !Number.isInteger(value)) return undefined;
  const integer = BigInt(value);
  if (integer < MIN || integer > MAX) return undefined;
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer.toString();
}

/** zod schema of an integer from outside: a number or a decimal text. */
export const int64Answer = z.union([z.number(), z.string()]).transform((value, context): Int64 => {
  const integer = toInt64(value);
  if (integer !== undefined) return integer;
  context.addIssue({ code: 'custom', message: 'is not a 64-bit integer' });
  return z.NEVER;
});

/** Numeric order of two {@link Int64}: negative, 0 or positive. */
export function compareInt64(a: Int64, b: Int64): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  const left = BigInt(a);
  const right = BigInt(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
