import type { Command } from 'commander';
import { changeCommand } from './change-command.ts';
import type { Io } from './io.ts';
import { addChangeOptions, addChoiceOptions } from './manage-options.ts';
import { parseTime } from './parse-time.ts';
import { addRunsCsvCommand } from './runs-csv.ts';
import { addRunsListCommand } from './runs-list.ts';

/** What the commands that change runs do, loaded when one is run. */
const actions = () => import('./run-runs.ts');

/** `mlferry runs …`: the runs of a place, read and changed in place. */
export function addRunsCommand(program: Command, io: Io): void {
  const runs = program
    .command('runs')
    .description('list, download, delete, restore, move, tag and rename the runs of a place')
    .addHelpText(
      'after',
      `
Examples
  mlferry runs list http://localhost:5000 -e churn
  mlferry runs delete http://localhost:5000 -e churn -f "metrics.auc < 0.5" --dry-run
`,
    );
  addRunsListCommand(runs, io);
  addRunsCsvCommand(runs, io);
  addDelete(runs, io);
  addRestore(runs, io);
  addMove(runs, io);
  addTag(runs, io);
  addUntag(runs, io);
  addRename(runs, io);
}

function addDelete(runs: Command, io: Io): void {
  const command = changeCommand(runs, 'delete', 'delete runs softly, and the runs below them', [
    'mlferry runs delete http://localhost:5000 -e churn -f "metrics.auc < 0.5"',
    'mlferry runs delete http://localhost:5000 -e churn --created-before 2024-05-01 --yes',
    'mlferry runs delete databricks://team -e /Shared/churn --created-before 1714521600000 --yes',
    'mlferry runs delete ./mlruns --run 8f0c3a --no-cascade --dry-run',
  ]).action(async (place: string, values: unknown) => (await actions()).runsDelete(place, values, io));
  addChoiceOptions(command, 'active').option('--no-cascade', 'leave the runs below the chosen ones');
  addChangeOptions(command);
}

function addRestore(runs: Command, io: Io): void {
  const command = changeCommand(
    runs,
    'restore',
    'restore deleted runs, or put back what an undo file holds',
    [
      'mlferry runs restore http://localhost:5000 -e churn --deleted-after 2024-05-01T12:00:00Z',
      'mlferry runs restore http://localhost:5000 --from-undo undo.ndjson --yes',
      'mlferry runs restore ./mlruns --run 8f0c3a --cascade',
    ],
  ).action(async (place: string, values: unknown) => (await actions()).runsRestore(place, values, io));
  addChoiceOptions(command, 'deleted')
    .option(
      '--deleted-after <time>',
      'only runs deleted at or after this time (see --created-before)',
      parseTime,
    )
    .option('--cascade', 'restore the deleted runs below the chosen ones, too', false)
    .option('--from-undo <file>', 'put back the state that this undo file holds');
  addChangeOptions(command);
}

function addMove(runs: Command, io: Io): void {
  const command = changeCommand(
    runs,
    'move',
    'move runs to another experiment, with the runs below them; a server gives them new ids',
    [
      'mlferry runs move ./mlruns --to churn-2024 -e churn --since 2024-01-01 --create',
      'mlferry runs move http://localhost:5000 --to churn -e Default -f "tags.team = \'churn\'" --dry-run',
      'mlferry runs restore ./mlruns --from-undo undo.ndjson --yes',
    ],
  )
    .requiredOption('--to <experiment>', 'the experiment that they go to, by its name or id')
    .option('--create', 'make that experiment if there is none', false)
    .action(async (place: string, values: unknown) => (await actions()).runsMove(place, values, io));
  addChoiceOptions(command, 'active').option('--no-cascade', 'leave the runs below the chosen ones');
  addChangeOptions(command);
}

function addTag(runs: Command, io: Io): void {
  const command = changeCommand(runs, 'tag', 'set tags of runs', [
    `mlferry runs tag http://localhost:5000 reviewed=yes 'note=kept for the paper' -e churn -f "metrics.auc > 0.9"`,
  ])
    .argument('<tags...>', 'KEY=VALUE')
    .action(async (place: string, pairs: string[], values: unknown) =>
      (await actions()).runsTag(place, pairs, values, io),
    );
  addChangeOptions(addChoiceOptions(command, 'active'));
}

function addUntag(runs: Command, io: Io): void {
  const command = changeCommand(runs, 'untag', 'remove tags of runs', [
    'mlferry runs untag ./mlruns reviewed -e churn --yes',
  ])
    .argument('<keys...>', 'keys of the tags')
    .action(async (place: string, keys: string[], values: unknown) =>
      (await actions()).runsUntag(place, keys, values, io),
    );
  addChangeOptions(addChoiceOptions(command, 'active'));
}

function addRename(runs: Command, io: Io): void {
  const command = changeCommand(runs, 'rename', 'give a run another name', [
    "mlferry runs rename http://localhost:5000 8f0c3a 'best so far'",
  ])
    .argument('<run>', 'id of the run, or the beginning of it')
    .argument('<name>', 'its new name')
    .action(async (place: string, run: string, name: string, values: unknown) =>
      (await actions()).runsRename(place, run, name, values, io),
    );
  addChangeOptions(command);
}
