import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';

/** A password, or what an HTTP server may take as a token; the user of a database alone is no secret. */
const CREDENTIALS = /^(?:https?:\/\/|[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:)[^/?#]*@/i;

/** Says on stderr which locations carry credentials. */
export function warnOfCredentials(locations: readonly string[], io: Io): void {
  for (const location of locations) {
    if (!CREDENTIALS.test(location)) continue;
    io.stderr.write(
      `warning: credentials in ${redact(location)} can be seen by others on this machine; use MLFERRY_FROM_… and MLFERRY_TO_… variables\n`,
    );
  }
}
