import type { Command } from 'commander';
import { PART_WORDS } from '../kinds/part-words.ts';
import { parseSize } from './parse-size.ts';
import { collect } from './selection-options.ts';

/** `--only`, `--without`, `--no-artifacts`, `--no-metrics`, and which artifacts: what of the selected experiments and runs a command is about. */
export function addPartOptions(
  command: Command,
  { artifacts, metrics }: { readonly artifacts: string; readonly metrics: string },
): Command {
  return command
    .option(
      '--only <parts>',
      `experiments, runs and of the rest only these: ${PART_WORDS.join(', ')} (joined by commas, repeatable)`,
      collect,
      [],
    )
    .option('--without <parts>', 'all but these, by the same words (repeatable)', collect, [])
    .option('--no-artifacts', artifacts)
    .option('--no-metrics', metrics)
    .option(
      '--include-artifacts <glob>',
      "only artifacts whose path, or a directory above it, fits: '*.json', 'plots/**' (repeatable)",
      collect,
      [],
    )
    .option('--exclude-artifacts <glob>', 'no artifacts that fit; it counts last (repeatable)', collect, [])
    .option('--max-artifact-size <size>', 'no larger artifacts: 1GB, 500k, 1GiB', parseSize);
}
