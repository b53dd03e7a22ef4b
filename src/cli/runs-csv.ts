import { type Command, Option } from 'commander';
import { z } from 'zod';
import { writeCsv } from '../manage/csv.ts';
import { CSV_LAYOUTS } from '../manage/csv-layouts.ts';
import { systemCode } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';
import { addChoiceOptions, addPlaceOptions, choiceOf, placeOf } from './manage-options.ts';
import { warnOfCredentials } from './run-copy.ts';

const csvOptions = z.object({
  layout: z.enum(CSV_LAYOUTS),
  history: z.boolean().default(false),
  excelSafe: z.boolean().default(false),
});

/** `mlferry runs csv PLACE`. */
export function addRunsCsvCommand(runs: Command, io: Io): void {
  const command = runs
    .command('csv')
    .description('write runs as CSV to stdout')
    .argument('<place>', 'any place')
    .addOption(
      new Option(
        '--layout <name>',
        "columns: databricks, mlflow (those of MLflow's own download) or tidy (one row a metric)",
      )
        .choices(CSV_LAYOUTS)
        .default('mlflow'),
    )
    .option('--history', 'with tidy: one row a point, of whole histories')
    .option('--excel-safe', 'put an apostrophe before texts that a spreadsheet would take for a formula')
    .action(async (place: string, values: unknown) => {
      const options = {
        ...csvOptions.parse(values),
        ...choiceOf(values),
        ...placeOf(values, io),
        stdin: io.stdin,
      };
      warnOfCredentials([place], io);
      try {
        const { failures, repeated_keys } = await writeCsv(place, io.stdout, options);
        if (repeated_keys.length > 0)
          io.stderr.write(`note: in the head more than once: ${repeated_keys.join(', ')}\n`);
        for (const { object, message, hint } of failures)
          io.stderr.write(`${object}: ${redact(message)}. ${hint}\n`);
        io.exit(failures.length > 0 ? 3 : 0);
      } catch (error) {
        // Whoever reads it had enough.
        if (systemCode(error) !== 'EPIPE') throw error;
      }
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry runs csv http://localhost:5000 -e churn > runs.csv
  mlferry runs csv backup.tar --layout databricks --excel-safe > runs.csv
  mlferry runs csv ./mlruns --layout tidy --history -f "metrics.auc > 0.9" > points.csv
`,
    );
  addPlaceOptions(addChoiceOptions(command, 'active'));
}
