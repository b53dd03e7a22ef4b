import type { Command } from 'commander';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';

/** `mlferry schema [NAME]`. */
export function addSchemaCommand(program: Command, io: Io): void {
  program
    .command('schema')
    .description(
      'print the JSON Schema of the lines of archives and streams, or of what a command prints with --json',
    )
    .argument(
      '[name...]',
      'a kind of line (record: any of them; header, experiment, run, metrics, artifact, end …), a report, or a command',
      ['record'],
    )
    .action(async (words: readonly string[]) => {
      const [{ jsonSchemas }, { REPORTS, reportSchemas }] = await Promise.all([
        import('../kinds/json-schemas.ts'),
        import('./json/reports.ts'),
      ]);
      const given = words.join(' ');
      const [lines, reports] = [jsonSchemas(), reportSchemas()];
      const all = { ...reports, ...lines };
      const [of = given] = Object.entries(REPORTS).find(([, { commands }]) => commands.includes(given)) ?? [];
      const schema = Object.hasOwn(all, of) ? all[of] : undefined;
      if (schema === undefined)
        throw new MlferryError('USAGE', `There is no schema "${given}"`, {
          hint: `Kinds of lines are ${Object.keys(lines).join(', ')}; reports are ${Object.keys(reports).join(', ')}, or those of a command such as runs list.`,
        });
      io.stdout.write(`${JSON.stringify(schema, undefined, 2)}\n`);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry schema run
  mlferry schema > record.schema.json
  mlferry schema report
  mlferry schema runs delete
`,
    );
}
