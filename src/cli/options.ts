import type { Command } from 'commander';
import { z } from 'zod';
import type { JobOptions } from '../job/job-options.ts';
import { parseRename } from '../job/rename.ts';
import { MlferryError } from '../util/errors.ts';
import {
  addAllowEditedOption,
  addArtifactsDirOption,
  addPaceOptions,
  placeShape,
  placesOf,
} from './place-options.ts';
import {
  addExplainOption,
  addSelectionOptions,
  collect,
  selectionOf,
  selectionShape,
} from './selection-options.ts';
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
  addExplainOption(addSelectionOptions(command))
    .option(
      '--rename <from=to>',
      'rename experiments on the way; * matches any text (repeatable)',
      collect,
      [],
    )
    .option('--no-artifacts', 'leave the artifacts out')
    .option('--no-metrics', 'leave the metrics out')
    .option('-n, --dry-run', 'print what would be copied and what would not survive; write nothing');
  if (features.assignsIds) {
    command
      .option('--into <experiment>', 'put all runs into this experiment of the target')
      .option(
        '--id-map <file>',
        'write source id and target id of every experiment and run to this file (NDJSON)',
      );
  }
  if (features.writesFile) command.option('--overwrite', 'replace the file if it is there');
  if (features.stream) addArtifactsDirOption(command);
  if (features.readsStream) addAllowEditedOption(command);
  return addPaceOptions(addStateDirOption(command))
    .option('--verify', 'compare the target with the source afterwards, point by point')
    .option('--json', 'print the report as one JSON object on stdout')
    .option('-q, --quiet', 'print errors only');
}

const transferOptions = z.object({
  ...selectionShape,
  ...placeShape,
  explain: z.boolean().default(false),
  rename: z.array(z.string()).default([]),
  artifacts: z.boolean().default(true),
  metrics: z.boolean().default(true),
  dryRun: z.boolean().default(false),
  into: z.string().optional(),
  idMap: z.string().optional(),
  overwrite: z.boolean().default(false),
  stateDir: z.string().optional(),
  verify: z.boolean().default(false),
  json: z.boolean().default(false),
  quiet: z.boolean().default(false),
});

/** A command's options as the engine takes them, and what only the command line knows. */
export interface ParsedOptions {
  readonly job: JobOptions;
  readonly idMap: string | undefined;
  /** Only say how the selection would be worked out. */
  readonly explain: boolean;
  readonly verify: boolean;
  readonly json: boolean;
  readonly quiet: boolean;
}

/** Turns commander's values into {@link ParsedOptions}; throws USAGE. */
export function parseOptions(values: unknown): ParsedOptions {
  const parsed = transferOptions.safeParse(values);
  if (!parsed.success) throw new MlferryError('USAGE', z.prettifyError(parsed.error));
  const o = parsed.data;
  if (o.orderBy.length > 0 && o.maxRuns === undefined)
    throw new MlferryError('USAGE', '--order-by says which runs --max-runs keeps: it needs --max-runs');
  return {
    job: {
      ...placesOf(o),
      selection: selectionOf(o),
      rename: o.rename.map(parseRename),
      artifacts: o.artifacts,
      metrics: o.metrics,
      dryRun: o.dryRun,
      into: o.into,
      overwrite: o.overwrite,
      stateDir: o.stateDir,
    },
    idMap: o.idMap,
    explain: o.explain,
    verify: o.verify,
    json: o.json,
    quiet: o.quiet,
  };
}
