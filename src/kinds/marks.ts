import { z } from 'zod';
import { MlferryError } from '../util/errors.ts';
import type { ObjectKind, ObjectRecord } from './kind.ts';

/**
 * Marks in the schemas (zod metadata), by which ids are found and remapped:
 * `identifies: kind` — the object's own id; `references: kind` — the id of another object; `mentions: true` — texts that
 * may name objects by URI; `placed: true` — what the place itself decides, so that a copy has another; `located: true` —
 * a URI of files that may be those of a run or logged model; `bound: true`, with
 * `references` in an element of a list, or on it — the element cannot be without the object it names; `names: true`, in an element of a list — what elements
 * are told apart by; `late: true` — what a place may give later than the rest, and what no digest covers.
 */
const markSchema = z.object({
  identifies: z.string().optional(),
  references: z.string().optional(),
  mentions: z.boolean().optional(),
  placed: z.boolean().optional(),
  bound: z.boolean().optional(),
  located: z.boolean().optional(),
  names: z.boolean().optional(),
  late: z.boolean().optional(),
});

/** One marked field. In `path`, `*` stands for every element of a list. */
export interface Mark extends z.infer<typeof markSchema> {
  readonly path: readonly string[];
}

const marksBySchema = new WeakMap<z.ZodType, readonly Mark[]>();

/** All marks of a schema, in the order of its fields. */
export function marksOf(schema: z.ZodType): readonly Mark[] {
  const known = marksBySchema.get(schema) ?? [...findMarks(schema, [])];
  marksBySchema.set(schema, known);
  return known;
}

function* findMarks(schema: unknown, path: readonly string[]): Generator<Mark> {
  if (!(schema instanceof z.ZodType)) return;
  const mark = markSchema.safeParse(schema.meta() ?? {}).data ?? {};
  if (Object.keys(mark).length > 0) yield { ...mark, path };
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable)
    yield* findMarks(schema.unwrap(), path);
  else if (schema instanceof z.ZodArray) yield* findMarks(schema.element, [...path, '*']);
  else if (schema instanceof z.ZodObject) {
    for (const [field, of] of Object.entries(schema.shape)) yield* findMarks(of, [...path, field]);
  }
}

/** The id of an object; of one with several fields that identify it they are joined by `/`. */
export function idOf(of: ObjectKind, record: ObjectRecord): string {
  return idFields(of)
    .map((field) => textAt(of, record, field))
    .join('/');
}

function idFields(of: ObjectKind): (string | undefined)[] {
  const fields = marksOf(of.schema).flatMap(({ identifies, path }) => (identifies === of.kind ? path : []));
  return fields.length === 0 ? [undefined] : fields;
}

/** The name of an object, for people. */
export function nameOf(of: ObjectKind, record: ObjectRecord): string {
  return textAt(of, record, of.name);
}

/** The id of the object that this one lives in. */
export function parentIdOf(of: ObjectKind, record: ObjectRecord): string | undefined {
  if (of.within === undefined) return undefined;
  const parent = marksOf(of.schema).find(({ references }) => references === of.within);
  return textAt(of, record, parent?.path[0]);
}

function textAt(of: ObjectKind, record: ObjectRecord, field: string | undefined): string {
  const value = field === undefined ? undefined : record[field];
  if (typeof value !== 'string')
    throw new MlferryError('BUG', `The schema of ${of.kind} has no text field ${field ?? '(unmarked)'}`);
  return value;
}

/** A reference of a record to another object. */
export interface Reference {
  readonly kind: string;
  readonly id: string;
}

/** The objects that a record refers to in marked fields, without its own id. */
export function referencesOf(of: ObjectKind, record: ObjectRecord): Reference[] {
  const found: Reference[] = [];
  for (const { references: kind, path } of marksOf(of.schema)) {
    if (kind === undefined) continue;
    replaceAt(record, path, (id) => {
      found.push({ kind, id });
      return id;
    });
  }
  return found;
}

/** The texts of a record that may name objects. */
export function mentionsOf(of: ObjectKind, record: ObjectRecord): string[] {
  const texts: string[] = [];
  for (const { mentions, path } of marksOf(of.schema)) {
    if (mentions !== true) continue;
    replaceAt(record, path, (text) => {
      texts.push(text);
      return text;
    });
  }
  return texts;
}

/** A record without the elements of lists that are bound to objects which are not there, and which those are. */
export function withoutUnbound(
  of: ObjectKind,
  record: ObjectRecord,
  has: (kind: string, id: string) => boolean,
): { readonly record: ObjectRecord; readonly left: readonly Reference[] } {
  const left: Reference[] = [];
  let rest: Record<string, unknown> = record;
  for (const { references: kind, bound, path } of marksOf(of.schema)) {
    const [field, star, inner] = path;
    if (kind === undefined || bound !== true || star !== '*' || field === undefined) continue;
    const items: unknown = rest[field];
    if (!Array.isArray(items)) continue;
    const kept = items.filter((item) => {
      const id: unknown = inner === undefined ? item : bindings.safeParse(item).data?.[inner];
      if (typeof id !== 'string' || has(kind, id)) return true;
      left.push({ kind, id });
      return false;
    });
    rest = { ...rest, [field]: kept };
  }
  return { record: left.length === 0 ? record : of.schema.parse(rest), left };
}

const bindings = z.record(z.string(), z.unknown());

/** A record with its marked ids and texts replaced. */
export function remapMarks(
  of: ObjectKind,
  record: ObjectRecord,
  by: { id(kind: string, id: string): string; text(text: string): string; location(uri: string): string },
): ObjectRecord {
  let mapped: unknown = record;
  // What identifies an object only together with another field is no id by itself.
  const joined = idFields(of).length > 1;
  for (const { identifies, references, mentions, located, path } of marksOf(of.schema)) {
    const kind = joined ? references : (identifies ?? references);
    if (located === true) mapped = replaceAt(mapped, path, by.location);
    if (kind !== undefined) mapped = replaceAt(mapped, path, (id) => by.id(kind, id));
    else if (mentions === true) mapped = replaceAt(mapped, path, by.text);
  }
  return of.schema.parse(mapped);
}

/** `value` with the texts at `path` replaced: a text, each element of a list, each value of a map. */
function replaceAt(value: unknown, path: readonly string[], by: (text: string) => string): unknown {
  const [field, ...rest] = path;
  if (field === '*') return Array.isArray(value) ? value.map((item) => replaceAt(item, rest, by)) : value;
  if (typeof value === 'string') return field === undefined ? by(value) : value;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]): [string, unknown] => [
    key,
    field === undefined || key === field ? replaceAt(item, rest, by) : item,
  ]);
  return Object.fromEntries(entries);
}
