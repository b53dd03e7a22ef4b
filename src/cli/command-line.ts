import type { Command, Option } from 'commander';
import { PLACE_ARGUMENTS } from './place-names.ts';

/** What the words of a command line say that is not ended, or that has an error. */
export interface CommandLine {
  readonly command: Command;
  /** Arguments of the command, so far. */
  readonly given: readonly string[];
  /** The option whose value is wanted. */
  readonly option: Option | undefined;
  /** The last word, as far as it is the value of its option: behind the `=` of `--option=value`. */
  readonly word: string;
  /** What stands before it in the same word: `--option=`. */
  readonly before: string;
}

/** Reads the words of a command line, of which the last is in the making, by the options that the commands have. */
export function readWords(program: Command, words: readonly string[]): CommandLine {
  let command = program;
  let option: Option | undefined;
  const given: string[] = [];
  for (const word of words.slice(0, -1)) {
    if (option !== undefined) {
      option = undefined;
      continue;
    }
    const named = optionNamed(command, word);
    if (named !== undefined) option = named.required ? named : undefined;
    else if (!word.startsWith('-') || word === '-') {
      const below = given.length === 0 ? command.commands.find((each) => each.name() === word) : undefined;
      if (below === undefined) given.push(word);
      else command = below;
    }
  }
  const word = words.at(-1) ?? '';
  const [before = '', name = ''] = option === undefined ? (/^(--[^=]+)=/.exec(word) ?? []) : [];
  const joined = optionNamed(command, name);
  if (joined?.required !== true) return { command, given, option, word, before: '' };
  return { command, given, option: joined, word: word.slice(before.length), before };
}

function optionNamed(command: Command, word: string): Option | undefined {
  return optionsOf(command).find(({ short, long }) => word === short || word === long);
}

/** The command's own and those of the commands above it. */
export function optionsOf(command: Command): Option[] {
  return [...command.options, ...(command.parent === null ? [] : optionsOf(command.parent))];
}

/** Whether a command with these arguments writes a stream to stdout: its last place, which is no place to read, is `-`. */
export function writesToStdout(command: Command, given: readonly unknown[]): boolean {
  const places = command.registeredArguments.flatMap((argument, index) =>
    PLACE_ARGUMENTS.has(argument.name())
      ? [{ name: argument.name(), value: given[index] ?? argument.defaultValue }]
      : [],
  );
  const last = places.at(-1);
  return places.length > 1 && last?.name !== 'target' && last?.value === '-';
}
