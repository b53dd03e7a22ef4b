import { resolve } from 'node:path';
import { z } from 'zod';
import { placeAt, places } from '../places/registry.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { printable } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';
import type { Io } from './io.ts';
import { PLACE_NAME } from './place-names.ts';
import { type NamedPlace, placesFile, readPlaces, writePlace } from './places-file.ts';
import { formatTable } from './table.ts';
import { hasSecret } from './warn-of-credentials.ts';

/** What the commands of `mlferry place` do. */

const addOptions = z.object({
  ca: z.string().optional(),
  clientCert: z.string().optional(),
  insecure: z.boolean().optional(),
  overwrite: z.boolean().default(false),
});

/** `add`. */
export function placeAdd(name: string, location: string, values: unknown, io: Io): void {
  const { ca, clientCert, insecure, overwrite } = addOptions.parse(values);
  checkName(name);
  if (hasSecret(location))
    throw new MlferryError('USAGE', 'Credentials are not kept with a name', {
      hint: 'Leave them out of the location; give them as MLFERRY_FROM_TOKEN or MLFERRY_FROM_USERNAME and _PASSWORD (MLFERRY_TO_… for the target), or by …_TOKEN_COMMAND and …_PASSWORD_COMMAND.',
    });
  const place: NamedPlace = {
    location: placeAt(location).absolute(),
    ...(ca === undefined ? {} : { ca: resolve(ca) }),
    ...(clientCert === undefined ? {} : { client_cert: resolve(clientCert) }),
    ...(insecure === undefined ? {} : { insecure }),
  };
  const before = readPlaces(io.environment).get(name);
  if (before !== undefined && !overwrite && JSON.stringify(before) !== JSON.stringify(place))
    throw new MlferryError('CONFLICT', `"${name}" stands for ${redact(before.location)} already`, {
      hint: 'Choose another name, or add --overwrite.',
    });
  writePlace(io.environment, name, place);
  io.stderr.write(`${name} stands for ${place.location}, in ${placesFile(io.environment)}\n`);
}

/** `list`. */
export function placeList(values: unknown, io: Io): void {
  const { json } = z.object({ json: z.boolean().default(false) }).parse(values);
  const all = [...readPlaces(io.environment)].map(([name, place]) => ({ name, ...place }));
  if (json) {
    io.stdout.write(`${JSON.stringify(all)}\n`);
    return;
  }
  if (all.length === 0) io.stderr.write('No named places; mlferry place add NAME LOCATION names one.\n');
  else
    io.stdout.write(
      formatTable([
        ['name', 'location', 'TLS'],
        ...all.map(({ name, location, ca, client_cert, insecure }) => [
          printable(name),
          printable(redact(location)),
          [
            ...(ca === undefined ? [] : [`CA ${ca}`]),
            ...(client_cert === undefined ? [] : [`client certificate ${client_cert}`]),
            ...(insecure === true ? ['not checked'] : []),
          ].join(', '),
        ]),
      ]),
    );
}

/** `remove`. */
export function placeRemove(name: string, io: Io): void {
  const known = readPlaces(io.environment);
  if (!known.has(name)) {
    const near = nearest(name, [...known.keys()]);
    throw new MlferryError('USAGE', `There is no place named "${name}"`, {
      hint: near === undefined ? 'mlferry place list shows them.' : `Did you mean ${near}?`,
    });
  }
  writePlace(io.environment, name, undefined);
  io.stderr.write(`${name} is forgotten\n`);
}

/** Throws USAGE for a name that is a location by itself, such as one with the end of an archive. */
function checkName(name: string): void {
  if (
    PLACE_NAME.test(name) &&
    placeAt(`./${name}`).descriptor === places.at(-1) &&
    placeAt(name).descriptor === places.at(-1)
  )
    return;
  throw new MlferryError('USAGE', `"${name}" cannot be the name of a place`, {
    hint: 'A name has letters, digits, _, . and -, and is no location by itself.',
  });
}
