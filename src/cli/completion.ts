import { Argument, type Command } from 'commander';
import type { Io } from './io.ts';

/** Shells that commands can be completed in. */
const SHELLS = ['bash', 'zsh', 'fish'] as const;

/** `mlferry completion SHELL`, and the hidden `mlferry complete` that its scripts call. */
export function addCompletionCommand(program: Command, io: Io): void {
  program
    .command('completion')
    .description('print a script that completes commands, options, places and experiments in a shell')
    .addArgument(new Argument('<shell>', 'for which shell').choices(SHELLS))
    .action(async (shell: (typeof SHELLS)[number]) => {
      const { completionScripts } = await import('./completion-scripts.ts');
      io.stdout.write(completionScripts[shell]);
    })
    .addHelpText(
      'after',
      `
Examples
  source <(mlferry completion bash)                                      # in ~/.bashrc
  source <(mlferry completion zsh)                                       # in ~/.zshrc, behind compinit
  mlferry completion fish > ~/.config/fish/completions/mlferry.fish
`,
    );
  program
    .command('complete', { hidden: true })
    .description('print what the last of these words may become, one a line, with what it is')
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const { complete } = await import('./complete.ts');
      const { values, files } = await complete(program, words, io);
      for (const [value, meaning] of values) io.stdout.write(`${value}\t${meaning}\n`);
      if (files) io.stdout.write(':files\n');
    })
    .addHelpText('after', '\nExamples\n  mlferry complete -- runs li\n');
}
