import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { run } from '../../src/cli/main.ts';

/** Runs a command line in this process, on pipes; `directory` is its state directory. */
export async function mlferry(args: readonly string[], directory: string, stdin = '') {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const output = Promise.all([text(stdout), text(stderr)]);
  let status: number | undefined;
  await run(['node', 'mlferry', ...args], {
    stdin: Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
    stdout,
    stderr,
    environment: { XDG_STATE_HOME: directory },
    signal: new AbortController().signal,
    exit: (code) => {
      status ??= code;
    },
  });
  stdout.end();
  stderr.end();
  const [out, err] = await output;
  return { out, err, status: status ?? 0 };
}
