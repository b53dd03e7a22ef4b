import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { run } from '../../src/cli/main.ts';
import { checkJson } from './check-json.ts';

/** What a command line gets from outside besides its state directory. */
interface Outside {
  /** On a pipe. */
  readonly stdin?: string | Buffer;
  /** What is typed on a terminal; without it stdin and stderr are pipes. */
  readonly answer?: string | undefined;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Runs a command line in this process, and holds what `--json` prints against its schema; `directory` is its state directory. */
export async function mlferry(args: readonly string[], directory: string, outside: Outside = {}) {
  const { stdin = '', answer, environment } = outside;
  const terminal = answer === undefined ? {} : { isTTY: true };
  const input = answer ?? stdin;
  const stdout = new PassThrough();
  const stderr = Object.assign(new PassThrough(), terminal);
  const output = Promise.all([text(stdout), text(stderr)]);
  let status: number | undefined;
  await run(['node', 'mlferry', ...args], {
    stdin: Object.assign(
      Readable.from(input.length === 0 ? [] : [typeof input === 'string' ? Buffer.from(input) : input]),
      terminal,
    ),
    stdout,
    stderr,
    environment: { XDG_STATE_HOME: directory, ...environment },
    signal: new AbortController().signal,
    exit: (code) => {
      status ??= code;
    },
  });
  stdout.end();
  stderr.end();
  const [out, err] = await output;
  checkJson(args, out, status ?? 0);
  return { out, err, status: status ?? 0 };
}
