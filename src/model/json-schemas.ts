import { mkdirSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { artifact, end, experiment, FORMAT_VERSION, header, metrics, run, wireRecord } from './records.ts';

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

const RECORDS = { header, experiment, run, metrics, artifact, end, record: wireRecord };

/**
 * The JSON Schema of every record kind, and of any `record`, by name. References between records, by which ids are
 * remapped, stand as `x-references`.
 */
export function jsonSchemas(): Readonly<Record<string, JsonSchema>> {
  return Object.fromEntries(
    Object.entries(RECORDS).map(([name, schema]) => {
      const { $schema, ...body } = toJsonSchema(schema);
      const head = { $schema, $id: `urn:mlferry:schema:${FORMAT_VERSION}:${name}`, title: `mlferry ${name}` };
      return [name, { ...head, ...body }];
    }),
  );
}

function toJsonSchema(schema: z.ZodType): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      const { values, references, ...rest } = z.record(z.string(), z.unknown()).parse(jsonSchema);
      if (references !== undefined) replace(jsonSchema, { ...rest, 'x-references': references });
      if (!(values instanceof z.ZodType)) return;
      const { $schema, ...additionalProperties } = toJsonSchema(values);
      replace(jsonSchema, { ...rest, type: 'object', additionalProperties });
    },
  });
}

function replace(target: object, by: object): void {
  for (const key of Object.keys(target)) Reflect.deleteProperty(target, key);
  Object.assign(target, by);
}

/** Each schema as the text of its file in `schemas/`, by file name. */
export function schemaFiles(): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(jsonSchemas()).map(([name, schema]) => [
      `${name}.schema.json`,
      `${JSON.stringify(schema, undefined, 2)}\n`,
    ]),
  );
}

if (import.meta.main) {
  const directory = new URL('../../schemas/', import.meta.url);
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(schemaFiles())) writeFileSync(new URL(name, directory), text);
}
