import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Io } from './io.ts';
import { addChoiceOptions, addPlaceOptions } from './manage-options.ts';
import { addArtifactsDirOption, addDirectoryOptions } from './place-options.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/** The values of `--values`: `last`, `min`, `max`, `step=100`. */
function metricChoices(text: string): string[] {
  const choices = text.split(',').map((choice) => choice.trim());
  for (const choice of choices)
    if (!/^(last|min|max|step=-?\d{1,19})$/.test(choice))
      throw new InvalidArgumentError(`"${choice}" is none of last, min, max, step=NUMBER.`);
  return choices;
}

/** `mlferry compare PLACE…`. */
export function addCompareCommand(program: Command, io: Io): void {
  const command = program
    .command('compare')
    .description('show runs of one or several places side by side: a table, or a page with plots')
    .argument('<places...>', 'any places')
    .addOption(
      new Option('--format <name>', 'how the table is printed')
        .choices(['text', 'markdown', 'csv', 'json'])
        .default('text'),
    )
    .option('--json', 'the same as --format json')
    .option('-a, --all', 'print what is the same in all runs too, and the tags of MLflow itself', false)
    .option(
      '--values <list>',
      'of each metric: last, min, max, step=NUMBER, separated by commas',
      metricChoices,
      ['last'],
    )
    .option('--best <column>', 'mark the best value of a metric: "metrics.rmse ASC" (the least)')
    .addOption(
      new Option(
        '--runs-as <way>',
        'runs as columns or rows (default: rows when they are more than 6)',
      ).choices(['columns', 'rows']),
    )
    .option('--html <file>', 'write one page with tables and plots, which needs no network')
    .option('--overwrite', 'replace the file of --html if it is there', false)
    .option(
      '--excel-safe',
      'with csv: put an apostrophe before what a spreadsheet would take for a formula',
      false,
    )
    .action(async (places: string[], values: unknown) => {
      warnOfCredentials(places, io);
      const { runCompare } = await import('./run-compare.ts');
      return runCompare(places, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry compare http://localhost:5000 -e churn --best 'metrics.auc DESC'
  mlferry compare http://localhost:5000 backup.tar -f 'metrics.auc > 0.9' --html compare.html
  mlferry compare ./mlruns -r 8f0c3a -r 5d1e22 --values last,min,step=100 --all
  mlferry compare backup.tar --order-by 'metrics.rmse ASC' --max-runs 20 --format markdown
`,
    );
  addPlaceOptions(addDirectoryOptions(addArtifactsDirOption(addChoiceOptions(command, 'active'))));
}
