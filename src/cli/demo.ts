import type { Command } from 'commander';
import type { Io } from './io.ts';

/** `mlferry demo`; `again` runs a command line of its own. */
export function addDemoCommand(
  program: Command,
  io: Io,
  again: (args: readonly string[]) => Promise<unknown>,
): void {
  program
    .command('demo')
    .description('show what mlferry does on its samples: back up, look, restore, verify; no server needed')
    .argument('[directory]', 'where the results go (default: a new temporary directory)')
    .action(async (directory: string | undefined) =>
      (await import('./run-demo.ts')).runDemo(directory, io, again),
    )
    .addHelpText('after', '\nExamples\n  mlferry demo\n  mlferry demo ./mlferry-demo\n');
}
