import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';
import { mustBeNoTerminal } from './pipe.ts';
import { warnOfCredentials } from './warn-of-credentials.ts';

/** Help for the argument of commands that read one place. */
export const ANY_PLACE = 'any place (default: that of MLFLOW_TRACKING_URI)';

/** The only place that a command reads: the one given, else that of MLFLOW_TRACKING_URI, which is said on stderr. Throws USAGE without either. */
export function placeToRead(given: string | undefined, io: Io): string {
  if (given !== undefined) {
    if (given === '-') mustBeNoTerminal(io.stdin, 'stdin');
    warnOfCredentials([given], io);
    return given;
  }
  const { MLFLOW_TRACKING_URI: uri } = io.environment;
  if (uri === undefined || uri === '') {
    throw new MlferryError('USAGE', 'No place is named', {
      hint: 'Name one, or set MLFLOW_TRACKING_URI; mlferry --help says what a place is.',
    });
  }
  io.stderr.write(`Reading ${redact(uri)}, from MLFLOW_TRACKING_URI\n`);
  return uri;
}
