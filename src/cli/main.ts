import { CommanderError } from 'commander';
import { asMlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';
import { createProgram } from './program.ts';

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
  const io: Io = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    environment: process.env,
    signal: abort.signal,
    signalStatus: () => signalStatus,
    exit: (status) => {
      process.exitCode ??= status;
    },
  };
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
  await run(argv, io);
}

/** Runs a command line with everything outside handed in. */
export async function run(argv: readonly string[], io: Io): Promise<void> {
  try {
    await createProgram(io).parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      io.exit(error.exitCode === 0 ? 0 : 2);
      return;
    }
    const known = asMlferryError(error);
    // A message of several lines ends with a line that stands by itself, the caret below a search expression.
    const end = known.message.includes('\n') ? '\n' : '. ';
    io.stderr.write(`error ${known.code}: ${known.message}${end}${known.hint}\n`);
    if (known.code === 'BUG' && error instanceof Error) io.stderr.write(`${redact(error.stack ?? '')}\n`);
    io.exit(known.meaning.exit);
  }
}
