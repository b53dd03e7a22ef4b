import { type Command, Option } from 'commander';
import { z } from 'zod';
import type { Selection, View } from '../model/selection.ts';

/** Collects a repeatable option. */
export const collect = (value: string, all: string[]) => [...all, value];

/** `--experiment`, `--run`, `--view`: which experiments and runs a command is about. */
export function addSelectionOptions(command: Command, view: View = 'active'): Command {
  return command
    .option(
      '-e, --experiment <name>',
      'only this experiment: a name, an id or a glob with * (repeatable)',
      collect,
      [],
    )
    .option('-r, --run <id>', 'only this run (repeatable)', collect, [])
    .addOption(
      new Option('--view <stage>', 'experiments and runs of which lifecycle stage')
        .choices(['active', 'deleted', 'all'])
        .default(view),
    );
}

/** The values that {@link addSelectionOptions} leaves, to be spread into a command's own schema. */
export const selectionShape = {
  experiment: z.array(z.string()),
  run: z.array(z.string()),
  view: z.enum(['active', 'deleted', 'all']),
};

/** The selection those values make. */
export function selectionOf(values: z.infer<z.ZodObject<typeof selectionShape>>): Selection {
  return { experiments: values.experiment, runs: values.run, view: values.view };
}
