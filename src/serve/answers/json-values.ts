import type { Int64 } from '../../model/int64.ts';
import type { StringMap } from '../../model/string-map.ts';

/** An integer as MLflow's servers write it: a number of any size. */
export const integer = (value: Int64): unknown => (typeof value === 'string' ? JSON.rawJSON(value) : value);

/** The same of one that may be missing. */
export const orNothing = (value: Int64 | null | undefined): unknown =>
  value === null || value === undefined ? undefined : integer(value);

/** A list; an empty one is left out, as protobuf's JSON does. */
export const list = <T>(items: readonly T[]): readonly T[] | undefined =>
  items.length === 0 ? undefined : items;

/** A map as the list of keys and values that MLflow sends. */
export const keyValues = (map: StringMap): unknown =>
  list(Object.entries(map).map(([key, value]) => ({ key, value })));
