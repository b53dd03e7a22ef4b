import { type Command, Option } from 'commander';
import { CSV_LAYOUTS } from '../manage/csv-layout-names.ts';
import type { Io } from './io.ts';
import { addChoiceOptions, addPlaceOptions } from './manage-options.ts';
import { addIdentityOption } from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';

/** `mlferry runs csv PLACE`. */
export function addRunsCsvCommand(runs: Command, io: Io): void {
  const command = runs
    .command('csv')
    .description('write runs as CSV to stdout')
    .argument('[place]', ANY_PLACE)
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
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      const { runCsv } = await import('./run-csv.ts');
      return runCsv(place, values, io);
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
  addIdentityOption(addPlaceOptions(addChoiceOptions(command, 'active')));
}
