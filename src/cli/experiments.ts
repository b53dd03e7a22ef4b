import { type Command, Option } from 'commander';
import { changeCommand } from './change-command.ts';
import type { Io } from './io.ts';
import { addChangeOptions, addPlaceOptions } from './manage-options.ts';
import { addIdentityOption } from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';
import { addExperimentOptions } from './selection-options.ts';

/** What the commands do, loaded when one is run. */
const actions = () => import('./run-experiments.ts');

/** `mlferry experiments …`: the experiments of a place, read and changed in place. */
export function addExperimentsCommand(program: Command, io: Io): void {
  const experiments = program
    .command('experiments')
    .description('list, delete, restore, rename and tag the experiments of a place')
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments list http://localhost:5000
  mlferry experiments delete http://localhost:5000 -e 'old-*' --dry-run
`,
    );
  addList(experiments, io);
  addDelete(experiments, io);
  addRestore(experiments, io);
  addRename(experiments, io);
  addTag(experiments, io);
}

function addChoice(command: Command): Command {
  return addExperimentOptions(command).option(
    '--experiment-filter <expression>',
    'only experiments that fit: "tags.team = \'churn\'"',
  );
}

function addList(experiments: Command, io: Io): void {
  const command = experiments
    .command('list')
    .description('list experiments as a table, or as JSON')
    .argument('[place]', ANY_PLACE)
    .addOption(
      new Option('--view <stage>', 'experiments of which lifecycle stage')
        .choices(['active', 'deleted', 'all'])
        .default('active'),
    )
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      return (await actions()).experimentsList(place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments list http://localhost:5000 --view all
  mlferry experiments list backup.tar --ndjson
`,
    );
  addIdentityOption(addPlaceOptions(addChoice(command)));
}

function addDelete(experiments: Command, io: Io): void {
  const command = changeCommand(experiments, 'delete', 'delete experiments softly, with their runs', [
    "mlferry experiments delete http://localhost:5000 -e 'old-*' --dry-run",
    'mlferry experiments delete ./mlruns -e scratch --yes',
  ]).action(async (place: string, values: unknown) => (await actions()).experimentsDelete(place, values, io));
  addChangeOptions(addChoice(command));
}

function addRestore(experiments: Command, io: Io): void {
  const command = changeCommand(
    experiments,
    'restore',
    'restore deleted experiments with the runs that were deleted with them',
    [
      'mlferry experiments restore http://localhost:5000 -e scratch',
      'mlferry experiments restore ./mlruns --from-undo undo.ndjson --yes',
    ],
  )
    .option('--from-undo <file>', 'put back the state that this undo file holds')
    .action(async (place: string, values: unknown) =>
      (await actions()).experimentsRestore(place, values, io),
    );
  addChangeOptions(addChoice(command));
}

function addRename(experiments: Command, io: Io): void {
  const command = changeCommand(experiments, 'rename', 'give an experiment another name', [
    'mlferry experiments rename http://localhost:5000 churn churn-2023',
  ])
    .argument('<experiment>', 'its name or id')
    .argument('<name>', 'its new name')
    .action(async (place: string, experiment: string, name: string, values: unknown) =>
      (await actions()).experimentsRename(place, experiment, name, values, io),
    );
  addChangeOptions(command);
}

function addTag(experiments: Command, io: Io): void {
  const command = changeCommand(experiments, 'tag', 'set tags of experiments', [
    "mlferry experiments tag http://localhost:5000 team=churn -e 'churn-*' --yes",
  ])
    .argument('<tags...>', 'KEY=VALUE')
    .action(async (place: string, pairs: string[], values: unknown) =>
      (await actions()).experimentsTag(place, pairs, values, io),
    );
  addChangeOptions(addChoice(command));
}
