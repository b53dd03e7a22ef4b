import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { archive } from './archive/index.ts';
import { database } from './database/index.ts';
import type { Ability, PlaceAt, PlaceDescriptor } from './descriptor.ts';
import { exportImport } from './export-import/index.ts';
import { filestore } from './filestore/index.ts';
import { readLocation } from './location-text.ts';
import { server } from './server/index.ts';
import { stream } from './stream/index.ts';

/**
 * All kinds of places. The first that claims a location has it: those that know theirs by a scheme, a file name or what is in
 * it come before the directory, which takes any other path.
 */
export const places: readonly PlaceDescriptor[] = [
  server,
  archive,
  stream,
  database,
  exportImport,
  filestore,
];

const NOT_YET = /^mssql[:+]/;

/** The place that a location names. Throws LOCATION when it names none. */
export function placeAt(text: string): PlaceAt {
  const location = readLocation(text);
  for (const place of places) {
    const found = place.at(location);
    if (found !== undefined) return found;
  }
  if (location.path !== undefined) {
    const named = places.filter(({ byFileName }) => byFileName).map(({ words }) => words.name);
    throw noPlace(`"${text}" is a file, but not ${withArticle(either(named))} by its name`);
  }
  const host = /^[\w.-]+:\d+(?=\/|$)/.exec(text)?.[0];
  if (host !== undefined) {
    throw new MlferryError('LOCATION', `"${text}" has no scheme`, {
      hint: `A server's address begins with it: http://${text} or https://${text}.`,
    });
  }
  throw noPlace(
    NOT_YET.test(text)
      ? `"${redact(text)}" is a kind of place that this version cannot read or write`
      : `"${redact(text)}": mlferry does not know places of this scheme`,
  );
}

/** The kinds of places with which something can be done. */
export function placesThatCan(ability: Ability): readonly PlaceDescriptor[] {
  return places.filter(({ abilities }) => abilities.has(ability));
}

/** What a place to be managed is, for the help: `tracking server or …`. */
export function namesOfPlacesThatCan(ability: Ability): string {
  return either(placesThatCan(ability).map(({ words }) => words.name));
}

/** `a, b or c` */
export function either(names: readonly string[], last = 'or'): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} ${last} ${names.at(-1)}`;
}

/** `an archive` */
export function withArticle(name: string): string {
  return `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}

function noPlace(message: string): MlferryError {
  return new MlferryError('LOCATION', message, {
    hint: `A place is ${either(places.flatMap(({ words }) => words.short))}.`,
  });
}
