import { type Command, Option } from 'commander';
import { z } from 'zod';
import { deleteExperiments } from '../manage/delete-experiments.ts';
import { listExperiments } from '../manage/list-runs.ts';
import { renameExperiment } from '../manage/rename-experiment.ts';
import { restoreExperiments } from '../manage/restore-experiments.ts';
import { tagExperiments } from '../manage/tag-experiments.ts';
import { undo } from '../manage/undo.ts';
import { toJson } from '../model/json.ts';
import type { View } from '../model/selection.ts';
import { namesOfPlacesThatCan } from '../places/registry.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { formatTable } from './format.ts';
import type { Io } from './io.ts';
import { addChangeOptions, addPlaceOptions, placeOf, tagsOf } from './manage-options.ts';
import { oneLine } from './manage-text.ts';
import { runChange } from './run-change.ts';
import { warnOfCredentials } from './run-copy.ts';
import { timeText } from './runs-list.ts';
import { collect } from './selection-options.ts';

const experimentOptions = z.object({
  experiment: z.array(z.string()),
  experimentFilter: z.string().optional(),
  view: z.enum(['active', 'deleted', 'all']).default('all'),
  fromUndo: z.string().optional(),
  json: z.boolean().default(false),
  ndjson: z.boolean().default(false),
});

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
  return command
    .option(
      '-e, --experiment <name>',
      'only this experiment: a name, an id or a glob with * (repeatable)',
      collect,
      [],
    )
    .option('--experiment-filter <expression>', 'only experiments that fit: "tags.team = \'churn\'"');
}

function selectionOf(values: unknown, view: View) {
  const { experiment, experimentFilter } = experimentOptions.parse(values);
  const filter = experimentFilter === undefined ? {} : { experiment_filter: experimentFilter };
  searchOf(filter);
  return { experiments: experiment, view, ...filter };
}

/** Throws USAGE when nothing says which experiments. */
function deliberateSelection(values: unknown, view: View) {
  const selection = selectionOf(values, view);
  if (selection.experiments.length > 0 || selection.experiment_filter !== undefined) return selection;
  throw new MlferryError('USAGE', 'Nothing says which experiments', {
    hint: "Name them with --experiment or --experiment-filter; -e '*' means all.",
  });
}

function addList(experiments: Command, io: Io): void {
  const command = experiments
    .command('list')
    .description('list experiments as a table, or as JSON')
    .argument('<place>', 'any place')
    .addOption(
      new Option('--view <stage>', 'experiments of which lifecycle stage')
        .choices(['active', 'deleted', 'all'])
        .default('active'),
    )
    .option('--json', 'print one JSON array')
    .option('--ndjson', 'print one JSON object a line')
    .action(async (place: string, values: unknown) => {
      const { json, ndjson, view } = experimentOptions.parse(values);
      warnOfCredentials([place], io);
      if (json && ndjson) throw new MlferryError('USAGE', '--json and --ndjson exclude each other');
      const rows = [['experiment_id', 'name', 'lifecycle_stage', 'creation_time', 'last_update_time']];
      const lines: string[] = [];
      const options = { ...placeOf(values, io), selection: selectionOf(values, view), stdin: io.stdin };
      const failures = await listExperiments(place, options, async (experiment) => {
        // A reader's deleted view has active experiments, too: of their deleted runs.
        if (view === 'deleted' && experiment.lifecycle_stage !== 'deleted') return;
        const { experiment_id, name, lifecycle_stage, creation_time, last_update_time } = experiment;
        const times = [creation_time, last_update_time].map((time) =>
          time === undefined ? '' : timeText(time),
        );
        rows.push([experiment_id, oneLine(name), lifecycle_stage, ...times]);
        lines.push(toJson(experiment));
      });
      if (json) io.stdout.write(`[${lines.length === 0 ? '' : `\n${lines.join(',\n')}\n`}]\n`);
      else if (ndjson) io.stdout.write(lines.map((line) => `${line}\n`).join(''));
      else io.stdout.write(formatTable(rows));
      for (const { object, message, hint } of failures)
        io.stderr.write(`${object}: ${redact(message)}. ${hint}\n`);
      io.exit(failures.length > 0 ? 3 : 0);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments list http://localhost:5000 --view all
  mlferry experiments list backup.tar --ndjson
`,
    );
  addPlaceOptions(addChoice(command));
}

function addDelete(experiments: Command, io: Io): void {
  const command = experiments
    .command('delete')
    .description('delete experiments softly, with their runs')
    .argument('<place>', namesOfPlacesThatCan('manage'))
    .action((place: string, values: unknown) =>
      runChange(place, values, 'delete-experiments', io, (options) =>
        deleteExperiments(place, { ...options, selection: deliberateSelection(values, 'active') }),
      ),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments delete http://localhost:5000 -e 'old-*' --dry-run
  mlferry experiments delete ./mlruns -e scratch --yes
`,
    );
  addChangeOptions(addChoice(command));
}

function addRestore(experiments: Command, io: Io): void {
  const command = experiments
    .command('restore')
    .description('restore deleted experiments with the runs that were deleted with them')
    .argument('<place>', namesOfPlacesThatCan('manage'))
    .option('--from-undo <file>', 'put back the state that this undo file holds')
    .action((place: string, values: unknown) => {
      const { fromUndo } = experimentOptions.parse(values);
      if (fromUndo !== undefined)
        return runChange(place, values, 'undo', io, (options) => undo(place, fromUndo, options));
      return runChange(place, values, 'restore-experiments', io, (options) =>
        restoreExperiments(place, { ...options, selection: deliberateSelection(values, 'all') }),
      );
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments restore http://localhost:5000 -e scratch
  mlferry experiments restore ./mlruns --from-undo undo.ndjson --yes
`,
    );
  addChangeOptions(addChoice(command));
}

function addRename(experiments: Command, io: Io): void {
  const command = experiments
    .command('rename')
    .description('give an experiment another name')
    .argument('<place>', namesOfPlacesThatCan('manage'))
    .argument('<experiment>', 'its name or id')
    .argument('<name>', 'its new name')
    .action((place: string, experiment: string, name: string, values: unknown) =>
      runChange(
        place,
        values,
        'rename-experiment',
        io,
        (options) => renameExperiment(place, experiment, name, options),
        false,
      ),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments rename http://localhost:5000 churn churn-2023
`,
    );
  addChangeOptions(command);
}

function addTag(experiments: Command, io: Io): void {
  const command = experiments
    .command('tag')
    .description('set tags of experiments')
    .argument('<place>', namesOfPlacesThatCan('manage'))
    .argument('<tags...>', 'KEY=VALUE')
    .action((place: string, pairs: string[], values: unknown) =>
      runChange(place, values, 'tag-experiments', io, (options) =>
        tagExperiments(place, tagsOf(pairs), {
          ...options,
          selection: deliberateSelection(values, 'active'),
        }),
      ),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry experiments tag http://localhost:5000 team=churn -e 'churn-*' --yes
`,
    );
  addChangeOptions(addChoice(command));
}
