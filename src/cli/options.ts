import type { Command } from 'commander';
import { addPartOptions } from './part-options.ts';
import {
  addAllowEditedOption,
  addArtifactsDirOption,
  addDirectoryOptions,
  addEncryptOptions,
  addIdentityOption,
  addPaceOptions,
  addTargetRootOption,
} from './place-options.ts';
import { addExplainOption, addSelectionOptions, collect } from './selection-options.ts';
import { addStateDirOption } from './state-dir.ts';

/** Which part of a copy a command offers. */
export interface TransferFeatures {
  /** Ids are given by the target: `--into`, `--id-map`. */
  readonly assignsIds: boolean;
  /** The target may be a file: `--overwrite`. */
  readonly writesFile: boolean;
  /** A side may be a stream: `--artifacts-dir`. */
  readonly stream: boolean;
  /** The source may be a stream: `--allow-edited`. */
  readonly readsStream: boolean;
}

/** The options of every command that copies. */
export function addTransferOptions(command: Command, features: TransferFeatures): Command {
  addPartOptions(addExplainOption(addSelectionOptions(command)), {
    artifacts: 'leave the artifacts out',
    metrics: 'leave the metrics out',
  })
    .option(
      '--rename <from=to>',
      'rename experiments on the way; * matches any text (repeatable)',
      collect,
      [],
    )
    .option('--rename-model <from=to>', 'rename registered models and prompts, in the same way', collect, [])
    .option(
      '--accept-loss <codes>',
      'losses, by their codes, that leave the result complete although something stays behind (repeatable)',
      collect,
      [],
    )
    .option('-n, --dry-run', 'print what would be copied and what would not survive; write nothing');
  if (features.assignsIds) {
    command
      .option('--init', 'make an empty MLflow database first where there is none (SQLite, PostgreSQL)')
      .option('--into <experiment>', 'put all runs into this experiment of the target')
      .option('--keep-model-files', 'leave the ids in MLmodel files as they are at the source')
      .option(
        '--id-map <file>',
        'write source id and target id of every experiment and run to this file (NDJSON)',
      )
      .option(
        '--mirror',
        'then delete softly what the source no longer has of what was copied: shown, asked, undoable',
      )
      .option('-y, --yes', 'do not ask before --mirror deletes')
      .option(
        '--undo-file <file>',
        'where --mirror writes the state before (default: a new file, its name is printed)',
      );
  }
  if (features.writesFile) command.option('--overwrite', 'replace the file if it is there');
  if (features.stream) addArtifactsDirOption(command);
  if (features.readsStream) addAllowEditedOption(command);
  addIdentityOption(addDirectoryOptions(command));
  if (features.writesFile && !features.assignsIds) addEncryptOptions(command);
  if (features.assignsIds) addTargetRootOption(command);
  return addPaceOptions(addStateDirOption(command))
    .option('--verify', 'compare the target with the source afterwards, point by point')
    .option('--json', 'print the report as one JSON object on stdout')
    .option('-q, --quiet', 'print errors and counts of losses only');
}
