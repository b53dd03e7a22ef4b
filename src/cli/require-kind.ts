import { type Location, parseLocation } from '../places/location.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';

/** Throws LOCATION unless the location is of this kind; `example` shows one that is. */
export function requireKind(location: string, kind: Location['kind'], example: string): void {
  const found = parseLocation(location).kind;
  if (found === kind) return;
  const named = (name: Location['kind']) => `${name === 'archive' ? 'an' : 'a'} ${name}`;
  throw new MlferryError('LOCATION', `"${redact(location)}" is ${named(found)}, not ${named(kind)}`, {
    hint: `Name ${named(kind)} such as ${example}, or use mlferry copy.`,
  });
}
