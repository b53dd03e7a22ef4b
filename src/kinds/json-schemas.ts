import { z } from 'zod';
import { leftBehind } from '../model/left-behind.ts';
import { artifact, experiment, metrics, run } from '../model/records.ts';
import { FORMAT_VERSION, FURTHER_KINDS } from './kinds.ts';
import { type JsonSchema, writeSchemaFiles } from './schema-files.ts';
import { end, fixedRecord, header, objectArtifact } from './wire-record.ts';

const further = FURTHER_KINDS.map(({ kind, schema }): [string, z.ZodType] => [kind, schema]);

const RECORDS: Readonly<Record<string, z.ZodType>> = {
  ...{ header, experiment, run, metrics, artifact },
  ...Object.fromEntries(further),
  object_artifact: objectArtifact,
  left_behind: leftBehind,
  end,
  record: z.union([fixedRecord, objectArtifact, leftBehind, ...further.map(([, schema]) => schema)]),
};

/**
 * The JSON Schema of every record kind, and of any `record`, by name. Ids stand as `x-identifies` (the object's own) and
 * `x-references` (another's), by which they are remapped.
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

/** The JSON Schema of a zod schema. `open`: objects may have more fields than it names. */
export function toJsonSchema(schema: z.ZodType, { open = false } = {}): Record<string, unknown> {
  return z.toJSONSchema(schema, {
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      const { values, identifies, references, mentions, placed, names, late, ...rest } = z
        .record(z.string(), z.unknown())
        .parse(jsonSchema);
      if (open && rest.additionalProperties === false) delete rest.additionalProperties;
      const marks = {
        ...(identifies === undefined ? {} : { 'x-identifies': identifies }),
        ...(references === undefined ? {} : { 'x-references': references }),
      };
      replace(jsonSchema, { ...rest, ...marks });
      if (!(values instanceof z.ZodType)) return;
      const { $schema, ...additionalProperties } = toJsonSchema(values, { open });
      replace(jsonSchema, { ...rest, type: 'object', additionalProperties });
    },
  });
}

function replace(target: object, by: object): void {
  for (const key of Object.keys(target)) Reflect.deleteProperty(target, key);
  Object.assign(target, by);
}

if (import.meta.main) writeSchemaFiles(new URL('../../schemas/', import.meta.url), jsonSchemas());
