import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addPartOptions } from './part-options.ts';
import {
  addAllowEditedOption,
  addArtifactsDirOption,
  addDirectoryOptions,
  addIdentityOption,
  addTlsOptions,
} from './place-options.ts';
import { ANY_PLACE, placeToRead } from './place-to-read.ts';
import { addExplainOption, addSelectionOptions } from './selection-options.ts';

/** `mlferry inspect PLACE`. */
export function addInspectCommand(program: Command, io: Io): void {
  const command = program
    .command('inspect')
    .description('show what a place holds: experiments, runs, points, artifacts')
    .argument('[place]', ANY_PLACE)
    .option('--json', 'print one JSON object')
    .action(async (given: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      const { runInspect } = await import('./run-inspect.ts');
      return runInspect(place, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry inspect ./mlruns
  mlferry inspect backup.tar --view all --json
  mlferry inspect http://localhost:5000 -e churn --no-metrics
  mlferry inspect backup.tar --filter "metrics.auc > 0.9 AND params.model = 'tree'"
`,
    );
  addIdentityOption(addDirectoryOptions(addAllowEditedOption(addArtifactsDirOption(command))));
  addPartOptions(addExplainOption(addSelectionOptions(command)), {
    artifacts: 'do not count artifacts',
    metrics: 'do not count points (on a server that reads every history)',
  });
  addTlsOptions(command, 'from');
}
