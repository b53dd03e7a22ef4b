import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addPlaceOptions } from './manage-options.ts';
import { addArtifactsDirOption, addDirectoryOptions } from './place-options.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/** `mlferry show PLACE [RUN]`. */
export function addShowCommand(program: Command, io: Io): void {
  const command = program
    .command('show')
    .description('show a run, an experiment or a model of any place as a person wants to see it')
    .argument('<place>', 'any place')
    .argument('[run]', 'id of the run, or the beginning of it (default: the one that the place names)')
    .option('-e, --experiment <name>', 'show this experiment: its name or id')
    .option('--model <name>', 'show this model: the id of a logged model, or NAME, NAME@alias or NAME/3')
    .option('--open', "open the run's source in a browser, at the very revision", false)
    .option('--json', 'print one JSON object')
    .action(async (place: string, run: string | undefined, values: unknown) => {
      warnOfCredentials([place], io);
      const { runShow } = await import('./run-show.ts');
      return runShow(place, run, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry show http://localhost:5000 8f0c3a
  mlferry show backup.tar 8f0c3a --open
  mlferry show ./mlruns -e churn
  mlferry show http://localhost:5000 --model churn@champion --json
`,
    );
  addPlaceOptions(addDirectoryOptions(addArtifactsDirOption(command)));
}
