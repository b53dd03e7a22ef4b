import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { MlferryError } from '../util/errors.ts';
import type { Io } from './io.ts';

/** Throws USAGE where there is nobody to ask. */
export function mustHaveTerminal({ stdin, stderr }: Io): void {
  if (stdin.isTTY === true && stderr.isTTY === true) return;
  throw new MlferryError('USAGE', 'There is no terminal to ask on', {
    hint: 'Add --yes to go on without a question, or --dry-run to see what would be changed.',
  });
}

/** Asks whether to go on. Anything but yes is no, so is the end of the input; Ctrl-C ends the command. */
export async function confirm(io: Io): Promise<boolean> {
  const lines = createInterface({ input: io.stdin, output: io.stderr, terminal: false });
  try {
    const ended = once(lines, 'close').then(() => '');
    const answer = await Promise.race([lines.question('Go on? [y/N] ', { signal: io.signal }), ended]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}
