import type { Command } from 'commander';
import { namesOfPlacesThatCan } from '../places/registry.ts';

/** A command of `group` that changes a place, named first; it still needs its action and options. */
export function changeCommand(
  group: Command,
  name: string,
  description: string,
  examples: readonly string[],
): Command {
  return group
    .command(name)
    .description(description)
    .argument('<place>', namesOfPlacesThatCan('manage'))
    .addHelpText('after', `\nExamples\n${examples.map((example) => `  ${example}\n`).join('')}`);
}
