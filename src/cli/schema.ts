import type { Command } from 'commander';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';

/** `mlferry schema [KIND]`. */
export function addSchemaCommand(program: Command, io: Io): void {
  program
    .command('schema')
    .description('print the JSON Schema of the lines of archives and streams')
    .argument(
      '[kind]',
      'one kind of line (header, experiment, run, metrics, artifact, end …), or any',
      'record',
    )
    .action(async (kind: string) => {
      const { jsonSchemas } = await import('../kinds/json-schemas.ts');
      const schemas = jsonSchemas();
      const schema = Object.hasOwn(schemas, kind) ? schemas[kind] : undefined;
      if (schema === undefined)
        throw new MlferryError('USAGE', `There is no kind of line "${kind}"`, {
          hint: `Kinds are ${Object.keys(schemas).join(', ')}.`,
        });
      io.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`);
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
