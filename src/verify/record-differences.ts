import type { ObjectKind, ObjectRecord } from '../kinds/kind.ts';
import { marksOf } from '../kinds/marks.ts';
import { canonicalRecord } from '../kinds/wire-record.ts';
import { withoutBookkeeping } from '../model/canonical.ts';
import { toJson } from '../model/json.ts';
import { ownValue, stringMap } from '../model/string-map.ts';
import { type Difference, differenceOf } from './difference.ts';

type Fields = Readonly<Record<string, unknown>>;

/**
 * The fields in which a record is not the expected one, down to keys of maps, and of lists whose elements have names
 * (`spans.1f0….attributes.x`); other lists count as one value. What a place sets itself counts only where records are kept.
 */
export function recordDifferences(
  of: ObjectKind,
  wanted: ObjectRecord,
  found: ObjectRecord,
  keepsIds: boolean,
): Difference[] {
  const marks = marksOf(of.schema);
  const placed = new Set(marks.flatMap(({ placed: is, path }) => (is === true ? path : [])));
  /** Of lists whose elements have names: the field that is the name, by the path of the list. */
  const names = new Map(
    marks.flatMap(({ names: is, path }) => (is === true ? [[path.slice(0, -2).join('.'), path.at(-1)]] : [])),
  );

  function differences(field: string, path: string, a: unknown, b: unknown): Difference[] {
    if (isFields(a) && isFields(b)) {
      const keys = [...new Set([...Object.keys(a), ...Object.keys(b)])];
      return keys.flatMap((key) =>
        differences(`${field}.${key}`, `${path}.${key}`, ownValue(a, key), ownValue(b, key)),
      );
    }
    const name = names.get(path);
    if (name === undefined || !Array.isArray(a) || !Array.isArray(b))
      return differenceOf(field, shown(a), shown(b));
    return differences(field, `${path}.*`, byName(a, name), byName(b, name));
  }

  const [expected, present] = [canonicalRecord(of, wanted), canonicalRecord(of, found)];
  const fields = new Set([...Object.keys(expected), ...Object.keys(present)]);
  return [...fields].flatMap((field) => {
    if (!keepsIds && placed.has(field)) return [];
    const [a, b] = [expected[field], present[field]];
    if (field !== 'tags' || keepsIds) return differences(field, field, a, b);
    const [own, other] = [stringMap.safeParse(a ?? {}), stringMap.safeParse(b ?? {})];
    return own.success && other.success
      ? differences(field, field, withoutBookkeeping(own.data), withoutBookkeeping(other.data))
      : differences(field, field, a, b);
  });
}

/** The elements of a list by their names. */
function byName(items: readonly unknown[], name: string): Fields {
  return Object.fromEntries(
    items.map((item, at): [string, unknown] => {
      const own = isFields(item) ? ownValue(item, name) : undefined;
      return [typeof own === 'string' ? own : String(at), item];
    }),
  );
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: unknown): string | number | null | undefined {
  if (value === undefined || value === null || typeof value === 'string' || typeof value === 'number')
    return value;
  return toJson(value);
}
