import type { Failure } from '../model/findings.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';

/** How a reading command ends: what could not be read on stderr, a line each, and the exit status 3 where there is any. */
export function endWithFailures(failures: readonly Failure[], io: Io): void {
  for (const { object, message, hint } of failures)
    io.stderr.write(`${printable(object)}: ${redact(message)}. ${hint}\n`);
  io.exit(failures.length > 0 ? 3 : 0);
}
