import { Argument, type Command } from 'commander';
import { jsonSchemas } from '../kinds/json-schemas.ts';
import type { Io } from './io.ts';

/** `mlferry schema [KIND]`. */
export function addSchemaCommand(program: Command, io: Io): void {
  const schemas = jsonSchemas();
  program
    .command('schema')
    .description('print the JSON Schema of the lines of archives and streams')
    .addArgument(
      new Argument('[kind]', 'one kind of line, or any').choices(Object.keys(schemas)).default('record'),
    )
    .action((kind: string) => {
      io.stdout.write(`${JSON.stringify(schemas[kind], undefined, 2)}\n`);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry schema run
  mlferry schema > record.schema.json
`,
    );
}
