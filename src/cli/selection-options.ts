import { type Command, InvalidArgumentError, Option } from 'commander';
import type { View } from '../model/selection.ts';

/** Collects a repeatable option. */
export const collect = (value: string, all: string[]) => [...all, value];

/** The value of an option that counts something. */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 1)
    throw new InvalidArgumentError('It is not a whole number above 0.');
  return value;
}

/** `--experiment` and `--exclude-experiment`. */
export function addExperimentOptions(command: Command): Command {
  return command
    .option(
      '-e, --experiment <name>',
      'only this experiment: a name, an id or a glob with * (repeatable)',
      collect,
      [],
    )
    .option(
      '--exclude-experiment <name>',
      'all but this experiment: a name, an id or a glob with * (repeatable)',
      collect,
      [],
    );
}

/** `--experiment`, `--run`, `--view`, `--filter` …: which experiments and runs a command is about. */
export function addSelectionOptions(command: Command, view: View = 'active'): Command {
  return addExperimentOptions(command)
    .option('-r, --run <id>', 'only this run: its id, or the beginning of it (repeatable)', collect, [])
    .option(
      '--runs-from <file>',
      'only the runs whose ids this file holds: one a line, an id map, a list or a report of mlferry; - for stdin (repeatable)',
      collect,
      [],
    )
    .addOption(
      new Option('--view <stage>', 'experiments and runs of which lifecycle stage')
        .choices(['active', 'deleted', 'all'])
        .default(view),
    )
    .option('-f, --filter <expression>', 'only runs that fit: "metrics.r2 > 0.3 AND params.model = \'tree\'"')
    .option('--experiment-filter <expression>', 'only experiments that fit: "tags.team = \'churn\'"')
    .option(
      '--registered-model <name>',
      'this registered model or prompt, and what it was made of: a name or glob, with @alias, /3 or /latest (repeatable)',
      collect,
      [],
    )
    .option('--with-model-version', 'only runs from which a version of a registered model was made')
    .option('--model-filter <expression>', 'of logged models only those that fit: "metrics.auc > 0.9"')
    .option(
      '--registered-model-filter <expression>',
      'of registered models only those that fit: "tags.team = \'a\'"',
    )
    .option(
      '--model-version-filter <expression>',
      'of their versions only those that fit: "alias = \'champion\'"',
    )
    .option('--trace-filter <expression>', 'of traces only those that fit: "status = \'ERROR\'"')
    .option(
      '--order-by <column>',
      'which runs are the first: "metrics.r2 DESC" (repeatable; default start_time DESC)',
      collect,
      [],
    )
    .option('--max-runs <count>', 'only so many runs, the first of all selected ones', positiveInteger);
}

/** `--explain`, for commands that hand it to `explainSelection`. */
export function addExplainOption(command: Command): Command {
  return command.option(
    '--explain',
    'print which part of the filter the server works out and which mlferry; do nothing else',
  );
}
