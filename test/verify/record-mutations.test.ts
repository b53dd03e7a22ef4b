import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ObjectKind, ObjectRecord } from '../../src/kinds/kind.ts';
import { FURTHER_KINDS } from '../../src/kinds/kinds.ts';
import { marksOf } from '../../src/kinds/marks.ts';
import { recordDifferences } from '../../src/verify/record-differences.ts';

/** Values of what must have a certain form; any field can have the first or the second that fits. */
const VALUES: readonly unknown[] = [
  ...[{ k: 'v' }, { k: 'w' }, 'a', 'b', 1, 2, true, false, '1', '2'],
  ...['1'.repeat(16), '2'.repeat(16), '1'.repeat(32), '2'.repeat(32), '1'.repeat(64), '2'.repeat(64)],
];

/** A value of a schema with something in every field, those included that may be absent. */
function sampleOf(schema: unknown): unknown {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable) return sampleOf(schema.unwrap());
  if (schema instanceof z.ZodArray) return [sampleOf(schema.element)];
  if (schema instanceof z.ZodObject)
    return Object.fromEntries(Object.entries(schema.shape).map(([key, of]) => [key, sampleOf(of)]));
  if (schema instanceof z.ZodEnum) return schema.options[0];
  if (schema instanceof z.ZodLiteral) return schema.value;
  if (!(schema instanceof z.ZodType)) throw new Error('no schema');
  return VALUES.find((value) => schema.safeParse(value).success);
}

/** The same value with one part another one, or without it: every such change, with its path. */
function* changesOf(
  schema: unknown,
  value: unknown,
  path: string,
): Generator<[path: string, changed: unknown]> {
  if (schema instanceof z.ZodOptional) {
    yield [`${path} absent`, undefined];
    yield* changesOf(schema.unwrap(), value, path);
  } else if (schema instanceof z.ZodNullable) yield* changesOf(schema.unwrap(), value, path);
  else if (schema instanceof z.ZodArray && Array.isArray(value)) {
    yield [`${path} empty`, []];
    for (const [inner, changed] of changesOf(schema.element, value[0], `${path}.0`)) yield [inner, [changed]];
  } else if (schema instanceof z.ZodObject) {
    const fields = z.record(z.string(), z.unknown()).parse(value);
    for (const [key, of] of Object.entries(schema.shape))
      for (const [inner, changed] of changesOf(of, fields[key], path === '' ? key : `${path}.${key}`)) {
        const { [key]: _, ...rest } = fields;
        yield [inner, changed === undefined ? rest : { ...rest, [key]: changed }];
      }
  } else if (schema instanceof z.ZodEnum) yield [path, schema.options[1]];
  else if (schema instanceof z.ZodType && !(schema instanceof z.ZodLiteral)) {
    const other = VALUES.find(
      (each) => JSON.stringify(each) !== JSON.stringify(value) && schema.safeParse(each).success,
    );
    if (other === undefined) throw new Error(`${path} has no other value`);
    yield [path, other];
  }
}

const recordOf = (of: ObjectKind, value: unknown): ObjectRecord => of.schema.parse(value);

describe.each(FURTHER_KINDS.map((of) => [of.kind, of] as const))('each single change of a %s', (_, of) => {
  const whole = sampleOf(of.schema);
  const cases = [...changesOf(of.schema, whole, '')];

  test('is a difference of that field alone, and an equal record is none', () => {
    expect(recordDifferences(of, recordOf(of, whole), recordOf(of, whole), true)).toEqual([]);
    expect(cases.length).toBeGreaterThan(4);
    for (const [path, changed] of cases) {
      const found = recordDifferences(of, recordOf(of, whole), recordOf(of, changed), true);
      const fields = new Set(found.map(({ field }) => field.split('.')[0]));
      expect([path, [...fields]]).toEqual([path, [path.split(/[. ]/)[0]]]);
    }
  });

  test('is one on a server and in a directory too, but for what these set themselves', () => {
    const placed = marksOf(of.schema).flatMap(({ placed: is, path }) => (is === true ? path[0] : []));
    for (const [path, changed] of cases) {
      const found = recordDifferences(of, recordOf(of, whole), recordOf(of, changed), false);
      expect([path, found.length > 0]).toEqual([path, !placed.includes(path.split(/[. ]/)[0])]);
    }
  });
});
