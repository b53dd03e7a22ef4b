import { mkdirSync, writeFileSync } from 'node:fs';

/** A JSON Schema (draft 2020-12). */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** Each schema as the text of its file, by file name. */
export function schemaFiles(schemas: Readonly<Record<string, JsonSchema>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [
      `${name}.schema.json`,
      `${JSON.stringify(schema, undefined, 2)}\n`,
    ]),
  );
}

/** Writes the files. */
export function writeSchemaFiles(directory: URL, schemas: Readonly<Record<string, JsonSchema>>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(schemaFiles(schemas)))
    writeFileSync(new URL(name, directory), text);
}
