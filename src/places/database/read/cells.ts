import { z } from 'zod';
import { type Int64, toInt64 } from '../../../model/int64.ts';

/** Values of columns, as the engines give them. A column that a version of MLflow does not have is NULL. */

/** A text; NULL is none, ''. */
export const text = z
  .string()
  .nullable()
  .transform((value) => value ?? '');

/** A text, `undefined` for NULL. */
export const nullableText = z
  .string()
  .nullable()
  .transform((value) => value ?? undefined);

/** A text, `undefined` for NULL and '': MLflow tells the two apart nowhere. */
export const optionalText = z
  .string()
  .nullable()
  .transform((value) => value || undefined);

/** An integer, `undefined` for NULL. */
export const optionalInteger = z
  .union([z.number(), z.string(), z.bigint()])
  .nullable()
  .transform((value, context): Int64 | undefined => {
    if (value === null) return undefined;
    const integer = toInt64(value);
    if (integer !== undefined) return integer;
    context.addIssue({ code: 'custom', message: 'is not a 64-bit integer' });
    return z.NEVER;
  });

/** An integer; NULL is 0. */
export const integer = optionalInteger.transform((value) => value ?? 0);

/** A number that identifies, as text. */
export const numericId = z.union([z.number(), z.string(), z.bigint()]).transform(String);

/** A truth value: engines without one have 0 and 1. */
export const flag = z.union([z.boolean(), z.number()]).transform(Boolean);

/** A double; NULL is NaN. */
export const double = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

/** Soft deletion; NULL, from before MLflow had it, is active. */
export const stage = z
  .enum(['active', 'deleted'])
  .nullable()
  .transform((value) => value ?? 'active');
