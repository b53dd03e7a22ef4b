import { z } from 'zod';

export { ownValue } from '../util/own-value.ts';

/**
 * Params and tags: a plain object from key to value. `z.record` drops the key `__proto__`, so the map is checked
 * here and passed on untouched. Build one with `Object.fromEntries`, never by assignment, for the same reason.
 */
export type StringMap = Readonly<Record<string, string>>;

const isMapOf =
  <T>(isValue: (value: unknown) => value is T) =>
  (value: unknown): value is Readonly<Record<string, T>> =>
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every(isValue);

const isString = (value: unknown): value is string => typeof value === 'string';

/** zod schema of {@link StringMap}. `values` tells json-schemas.ts what the values are. */
export const stringMap = z
  .custom<StringMap>(isMapOf(isString), 'not an object whose values are all strings')
  .meta({ values: z.string() });

/** zod schema of a map whose values pass `schema`, whatever the keys. */
export function mapOf<T>(schema: z.ZodType<T>) {
  const isValue = (value: unknown): value is T => schema.safeParse(value).success;
  return z
    .custom<Readonly<Record<string, T>>>(isMapOf(isValue), 'not an object whose values all fit')
    .meta({ values: schema });
}

/** A copy with the keys in code-unit order: the canonical form. */
export function sortKeys<T>(map: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
