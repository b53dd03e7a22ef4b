import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addPartOptions } from './part-options.ts';
import {
  addAllowEditedOption,
  addArtifactsDirOption,
  addDirectoryOptions,
  addIdentityOption,
  addPaceOptions,
  addTargetRootOption,
  addTlsOptions,
} from './place-options.ts';
import { placeToRead } from './place-to-read.ts';
import { addSelectionOptions, collect } from './selection-options.ts';

/** `mlferry verify PLACE [TARGET]`. */
export function addVerifyCommand(program: Command, io: Io): void {
  const command = program
    .command('verify')
    .description('check one place, or compare a target with its source point by point')
    .argument('[place]', 'place to check, or the source (default: that of MLFLOW_TRACKING_URI)')
    .argument('[target]', 'place that a copy was made to')
    .option('--quick', 'fields, latest values, paths and sizes only: no histories, no artifact bytes')
    .option('--all', 'list what is the same, too')
    .option(
      '--mirror',
      'the target must have no active copy of a run that the source deleted or no longer has',
    )
    .option('--losses', 'list every expected loss, not only how many')
    .option('--rename <from=to>', 'names on the target, as they were given to copy (repeatable)', collect, [])
    .option('--rename-model <from=to>', 'the same of registered models and prompts', collect, [])
    .option('--into <experiment>', 'the experiment of the target that all runs were copied into')
    .option(
      '--accept-loss <codes>',
      'losses, by their codes, that leave the result complete although something stays behind (repeatable)',
      collect,
      [],
    )
    .option('--keep-model-files', 'MLmodel files have the ids of the source, as they were copied')
    .option('--json', 'print the report as one JSON object')
    .option('-q, --quiet', 'print what is not the same only')
    .action(async (given: string | undefined, target: string | undefined, values: unknown) => {
      const place = placeToRead(given, io);
      const { runVerify } = await import('./run-verify.ts');
      return runVerify(place, target, values, io);
    })
    .addHelpText(
      'after',
      `
Examples
  mlferry verify backup.tar
  mlferry verify ./mlruns --quick
  mlferry verify http://old:5000 https://new.example.com --view all
  mlferry verify http://a:5000 http://b:5000 -e churn --rename 'churn=team/churn' --json

Symbols
  = same   + only in the source   - only in the target   * differs   ! could not be read

Exit status
  0 all the same · 3 something stays behind or could not be read · 4 differences; others as in mlferry --help
`,
    );
  addIdentityOption(addDirectoryOptions(addAllowEditedOption(addArtifactsDirOption(command))));
  addPartOptions(addSelectionOptions(command), {
    artifacts: 'do not look at artifacts',
    metrics: 'do not look at metrics',
  });
  addPaceOptions(command);
  addTlsOptions(command, 'from');
  addTargetRootOption(command);
  addTlsOptions(command, 'to');
}
