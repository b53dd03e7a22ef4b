import { placeAt } from '../places/registry.ts';
import { MlferryError } from '../util/errors.ts';

/** Whether a location is the standard input or output. */
export function isPipe(location: string): boolean {
  return location === '-' || (location.endsWith(':-') && placeAt(location).identity() === undefined);
}

/** Throws USAGE where what has to be a pipe is a terminal. */
export function mustBeNoTerminal(stream: { readonly isTTY?: boolean }, what: string): void {
  if (stream.isTTY !== true) return;
  throw new MlferryError('USAGE', `- stands for a pipe, and ${what} is a terminal`, {
    hint: 'Name a file, or the program behind or before the pipe.',
  });
}
