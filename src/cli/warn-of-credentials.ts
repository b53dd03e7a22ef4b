import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';

/** A password, or what an HTTP server may take as a token; the user of a database alone is no secret. */
const CREDENTIALS = /^(?:https?:\/\/|[a-z][a-z0-9+.-]*:\/\/[^/?#@]*:)[^/?#]*@/i;

/** Whether a location carries a secret: credentials, or a signed query value. */
export function hasSecret(location: string): boolean {
  const user = /^([a-z][a-z0-9+.-]*:\/\/)[^/?#@:]*@/i;
  return CREDENTIALS.test(location) || redact(location.replace(user, '$1')) !== location.replace(user, '$1');
}

/** Says on stderr which locations carry credentials. */
export function warnOfCredentials(locations: readonly string[], io: Io): void {
  for (const location of locations) {
    if (!CREDENTIALS.test(location)) continue;
    io.stderr.write(
      `warning: credentials in ${redact(location)} can be seen by others on this machine; use MLFERRY_FROM_… and MLFERRY_TO_… variables\n`,
    );
  }
}
