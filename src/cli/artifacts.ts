import type { Command } from 'commander';
import type { Io } from './io.ts';
import { addPlaceOptions } from './manage-options.ts';
import {
  addAllowEditedOption,
  addArtifactsDirOption,
  addDirectoryOptions,
  addIdentityOption,
} from './place-options.ts';
import { addExperimentOptions } from './selection-options.ts';

/** What the commands do, loaded when one is run. */
const actions = () => import('./run-artifacts.ts');

/** `mlferry artifacts …`: the files of a run, logged model or model version of any place. */
export function addArtifactsCommand(program: Command, io: Io): void {
  const artifacts = program
    .command('artifacts')
    .description('list, download and print the files of a run, logged model or model version of any place')
    .addHelpText(
      'after',
      `
Examples
  mlferry artifacts ls http://localhost:5000 8f0c3a
  mlferry artifacts get backup.tar 8f0c3a model -o ./model
  mlferry artifacts cat http://localhost:5000 models:/churn@champion MLmodel
`,
    );
  addLs(artifacts, io);
  addGet(artifacts, io);
  addCat(artifacts, io);
}

const RUN = 'run id or the beginning of one, m-…, models:/NAME/3, models:/NAME@alias, runs:/ID/PATH';

function addLs(artifacts: Command, io: Io): void {
  const command = artifacts
    .command('ls')
    .description('list files and directories with their sizes')
    .argument('<place>', 'any place')
    .argument('<run>', RUN)
    .argument('[path]', 'file or directory below the artifact root')
    .option('-R, --recursive', 'all files at any depth, and no directories')
    .option('--json', 'print one JSON object')
    .action(async (place: string, run: string, path: string | undefined, values: unknown) =>
      (await actions()).artifactsLs(place, run, path, values, io),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry artifacts ls ./mlruns 8f0c3a
  mlferry artifacts ls http://localhost:5000 8f0c3a model --recursive
  mlferry artifacts ls backup.tar models:/churn/3 --json
`,
    );
  addReadingOptions(command);
}

function addGet(artifacts: Command, io: Io): void {
  const command = artifacts
    .command('get')
    .description('download a file, a directory or all files, under their paths below the artifact root')
    .argument('<place>', 'any place')
    .argument('<run>', RUN)
    .argument('[path]', 'file or directory below the artifact root')
    .option('-o, --output <dir>', 'directory to write to, made if it is not there', '.')
    .option('--force', 'replace files that are there')
    .option('--json', 'print one JSON object')
    .option('-q, --quiet', 'print errors only')
    .action(async (place: string, run: string, path: string | undefined, values: unknown) =>
      (await actions()).artifactsGet(place, run, path, values, io),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry artifacts get http://localhost:5000 8f0c3a model/MLmodel
  mlferry artifacts get mlflow.db m-5f1f2b7d8c -o ./model
  mlferry artifacts get backup.tar.zst models:/churn/latest -o ./churn --force
`,
    );
  addReadingOptions(command);
}

function addCat(artifacts: Command, io: Io): void {
  const command = artifacts
    .command('cat')
    .description('print one file, byte for byte; on a terminal without what could control it')
    .argument('<place>', 'any place')
    .argument('<run>', RUN)
    .argument('[path]', 'file below the artifact root')
    .action(async (place: string, run: string, path: string | undefined, values: unknown) =>
      (await actions()).artifactsCat(place, run, path, values, io),
    )
    .addHelpText(
      'after',
      `
Examples
  mlferry artifacts cat http://localhost:5000 8f0c3a model/conda.yaml
  mlferry artifacts cat backup.tar runs:/8f0c3a/plots/roc.png > roc.png
`,
    );
  addReadingOptions(command);
}

function addReadingOptions(command: Command): void {
  addIdentityOption(
    addDirectoryOptions(addAllowEditedOption(addArtifactsDirOption(addExperimentOptions(command)))),
  );
  addPlaceOptions(command);
}
