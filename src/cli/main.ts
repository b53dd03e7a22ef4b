import { type Command, CommanderError } from 'commander';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { readWords, writesToStdout } from './command-line.ts';
import type { CommandLog } from './command-log.ts';
import type { Io } from './io.ts';
import { listening } from './listening.ts';
import { usePlaceNames } from './place-names.ts';
import { createProgram, logOptions } from './program.ts';

/** The command line: parses, runs one command, sets the exit status. The first Ctrl-C stops cleanly, a second at once. */
export async function main(argv: readonly string[]): Promise<void> {
  const abort = new AbortController();
  let signalStatus: number | undefined;
  const stop = (signal: 'SIGINT' | 'SIGTERM', status: number) => {
    process.on(signal, () => {
      if (abort.signal.aborted) process.exit(status);
      signalStatus = status;
      process.exitCode = status;
      process.stderr.write('\nStopping; once more to stop at once.\n');
      abort.abort();
    });
  };
  stop('SIGINT', 130);
  stop('SIGTERM', 143);
  let isPipeClosed = false;
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    isPipeClosed = true;
  });
  const io: Io = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    signal: abort.signal,
    isPipeClosed: () => isPipeClosed,
    signalStatus: () => signalStatus,
    exit: (status) => {
      process.exitCode ??= status;
    },
  };
  await run(argv, io);
}

function usageError({ message }: CommanderError): MlferryError {
  return new MlferryError('USAGE', message.replace(/^error: /, ''));
}

/** Runs a command line with everything outside handed in. */
export async function run(argv: readonly string[], outside: Io): Promise<void> {
  const args = argv.slice(2);
  let log: CommandLog | undefined;
  let debug = false;
  const io: Io = {
    ...outside,
    stderr: listening(outside.stderr, (text) => log?.talk(text)),
    get debug() {
      return debug;
    },
  };
  const program = createProgram(io);
  /** The command with its arguments, once the line is parsed without an error. */
  let reached: { readonly command: Command; readonly given: readonly unknown[] } | undefined;
  /**
   * With `--json` a failure before the report is one JSON object, too: on stdout, or on stderr where stdout is the stream
   * that is written.
   */
  const printFailure = ({ code, message, hint, meaning }: MlferryError) => {
    if (!args.includes('--json')) return;
    const failure = { error: { code, message, hint }, exit_status: meaning.exit };
    const { command, given } = reached ?? readWords(program, [...args, '']);
    (writesToStdout(command, given) ? io.stderr : io.stdout).write(`${JSON.stringify(failure)}\n`);
  };
  // Before anything that may fail, so that the log has it.
  program.hook('preAction', async (_, command) => {
    reached = { command, given: command.processedArgs };
    const options = logOptions(program);
    if (options === undefined) return;
    const { openCommandLog } = await import('./command-log.ts');
    debug = options.debug;
    log = openCommandLog(options, args, (text) => outside.stderr.write(text));
  });
  program.hook('preAction', (_, command) => usePlaceNames(command, io));
  program.hook('preAction', async (_, command) => {
    const { runsFrom = [] } = command.opts<{ runsFrom?: string[] }>();
    if (runsFrom.length > 0) await (await import('./runs-from.ts')).takeRunsFrom(command, io);
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode !== 0) printFailure(usageError(error));
      io.exit(error.exitCode === 0 ? 0 : 2);
      return;
    }
    const known = asMlferryError(error);
    printFailure(known);
    // A message of several lines ends with a line that stands by itself, the caret below a search expression.
    const end = known.message.includes('\n') ? '\n' : '. ';
    io.stderr.write(`error ${known.code}: ${known.message}${end}${known.hint}\n`);
    if (known.code === 'BUG' && error instanceof Error) io.stderr.write(`${redact(error.stack ?? '')}\n`);
    io.exit(known.meaning.exit);
  } finally {
    log?.close();
  }
}
