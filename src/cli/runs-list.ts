import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addChoiceOptions, addPlaceOptions } from './manage-options.ts';
import { parseTime } from './parse-time.ts';
import { addIdentityOption } from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';
import { RUN_FIELDS } from './run-fields.ts';
import { positiveInteger } from './selection-options.ts';

/** `mlferry runs list PLACE`. */
export function addRunsListCommand(runs: Command, io: Io): void {
  const command = runs
    .command('list')
    .description('list runs as a table, or as JSON')
    .argument('[place]', ANY_PLACE)
    .option(
      '--columns <list>',
      `comma-separated: ${RUN_FIELDS.join(', ')}, params.KEY, metrics.KEY, tags.KEY`,
    )
    .option('--limit <number>', 'print at most so many runs', positiveInteger)
    .option('--wide', 'print whole run ids on a terminal, and do not cut the table to its width')
    .option('--relative', 'times as "3d ago"')
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      const { runList } = await import('./run-list.ts');
      return runList(place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry runs list http://localhost:5000 -e churn -f "metrics.auc > 0.9" --order-by "metrics.auc DESC" --max-runs 10
  mlferry runs list ./mlruns --columns run_name,params.lr,metrics.auc
  mlferry runs list backup.tar --view deleted --ndjson
`,
    );
  addChoiceOptions(command, 'active').option(
    '--deleted-after <time>',
    'only runs deleted at or after this time (with --view deleted)',
    parseTime,
  );
  addIdentityOption(addPlaceOptions(command));
}
