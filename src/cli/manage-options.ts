import type { Command } from 'commander';
import type { View } from '../model/selection.ts';
import { parseTime, TIME_FORMS } from './parse-time.ts';
import { addPaceOptions, addTlsOptions } from './place-options.ts';
import { addSelectionOptions } from './selection-options.ts';

/** Options of every command that reads or changes a place by itself. */
export function addPlaceOptions(command: Command): Command {
  return addTlsOptions(addPaceOptions(command, 'requests'), 'to');
}

/** Which runs: the selection and the times. */
export function addChoiceOptions(command: Command, view: View): Command {
  return addSelectionOptions(command, view)
    .option(
      '--created-before <time>',
      `only runs that started at or before this time (${TIME_FORMS})`,
      parseTime,
    )
    .option('--created-after <time>', 'only runs that started at or after this time', parseTime)
    .option('--since <time>', 'the same as --created-after: --since 7d', parseTime);
}

/** Options of every command that changes runs or experiments. */
export function addChangeOptions(command: Command): Command {
  return addPlaceOptions(command)
    .option('-n, --dry-run', 'show what would be changed; change nothing')
    .option('-y, --yes', 'do not ask')
    .option(
      '--undo-file <file>',
      'where the state before the change is written (default: a new file, its name is printed)',
    )
    .option('--json', 'print the report as one JSON object on stdout')
    .option('-q, --quiet', 'print errors only');
}
