import { Command, Help } from 'commander';
import { places } from '../places/registry.ts';
import { TOOL_VERSION } from '../util/tool-version.ts';
import { addArtifactsCommand } from './artifacts.ts';
import { addBackupCommand } from './backup.ts';
import { addCompareCommand } from './compare.ts';
import { addCompletionCommand } from './completion.ts';
import { addCopyCommand } from './copy.ts';
import { addDemoCommand } from './demo.ts';
import { addExperimentsCommand } from './experiments.ts';
import { addExportCommand } from './export.ts';
import { addImportCommand } from './import.ts';
import { addInspectCommand } from './inspect.ts';
import type { Io } from './io.ts';
import { addJobsCommand } from './jobs.ts';
import { addModelsCommand } from './models.ts';
import { addPlaceCommand } from './place.ts';
import { addRestoreCommand } from './restore.ts';
import { addRunsCommand } from './runs.ts';
import { addSchemaCommand } from './schema.ts';
import { addServeCommand } from './serve.ts';
import { addShowCommand } from './show.ts';
import { addVerifyCommand } from './verify.ts';

/** Columns of what a location looks like, in the overview. */
const FORM_WIDTH = 50;

const OVERVIEW = `
A place is
${places
  .flatMap(({ words }) => words.forms)
  .map(([form, meaning]) => `  ${form.padEnd(FORM_WIDTH)}${meaning}`)
  .join('\n')}
  ${'NAME place:NAME'.padEnd(FORM_WIDTH)}a place that mlferry place add has named

Credentials come from MLFERRY_FROM_TOKEN, or MLFERRY_FROM_USERNAME and MLFERRY_FROM_PASSWORD (MLFERRY_TO_… for the
target and for what is changed), or from commands that print them (…_TOKEN_COMMAND, …_PASSWORD_COMMAND), else from
MLflow's own MLFLOW_TRACKING_… variables, else from ~/.mlflow/credentials. MLFLOW_TRACKING_URI is the place of reading
commands that name none. Those of Databricks are DATABRICKS_HOST and DATABRICKS_TOKEN, or a profile of ~/.databrickscfg.

Exit status
  0 done · 2 usage · 3 finished, but incomplete (listed) · 4 verify found differences · 5 damaged or hostile file
  6 refused by the server · 7 unavailable, run again · 8 conflict · 9 no space · 130 interrupted
  141 the program behind the pipe had enough
`;

/** The whole command line. */
export function createProgram(io: Io): Command {
  const program = new Command('mlferry')
    .description(
      'Copy, back up, restore and manage MLflow workspaces: experiments, runs, models, the registry, traces',
    )
    .version(TOOL_VERSION)
    .addHelpText('after', OVERVIEW)
    .option('-v, --debug', 'show each request on stderr: method, address, status, ms, bytes')
    .option('--log-file <file>', 'add requests and everything on stderr to this file')
    .configureHelp({
      showGlobalOptions: true,
      // That nothing is given is no default worth telling.
      optionDescription: (option) =>
        new Help().optionDescription(option).replace(/ \(default: (?:\[\]|false)\)$/, ''),
    })
    .showSuggestionAfterError()
    .exitOverride();
  addCopyCommand(program, io);
  addBackupCommand(program, io);
  addRestoreCommand(program, io);
  addExportCommand(program, io);
  addImportCommand(program, io);
  addInspectCommand(program, io);
  addVerifyCommand(program, io);
  addShowCommand(program, io);
  addCompareCommand(program, io);
  addRunsCommand(program, io);
  addExperimentsCommand(program, io);
  addModelsCommand(program, io);
  addArtifactsCommand(program, io);
  addJobsCommand(program, io);
  addDemoCommand(program, io, (args) => createProgram(io).parseAsync([...args], { from: 'user' }));
  addServeCommand(program, io);
  addSchemaCommand(program, io);
  addPlaceCommand(program, io);
  addCompletionCommand(program, io);
  for (const command of withSubcommands(program)) {
    command.exitOverride().configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      outputError: (text, write) => {
        write(
          `error USAGE: ${text
            .replace(/^error: /, '')
            .trim()
            .replace(/\s*\n\s*/g, ' ')}. See ${pathOf(command)} --help.\n`,
        );
      },
    });
  }
  return program;
}

/** `--debug` and `--log-file`, when one of them is given. */
export function logOptions(program: Command): { debug: boolean; logFile: string | undefined } | undefined {
  const { debug = false, logFile } = program.opts<{ debug?: boolean; logFile?: string }>();
  return debug || logFile !== undefined ? { debug, logFile } : undefined;
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

/** `mlferry runs delete`. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
