import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import type { TlsOptions } from '../places/place-options.ts';
import { asMlferryError, isAbsent, MlferryError } from '../util/errors.ts';
import { configDir } from './config-dir.ts';
import type { Io } from './io.ts';

/** What a name stands for: a location and how its server is reached; no secrets. */
export const namedPlace = z.strictObject({
  location: z.string().min(1),
  ca: z.string().min(1).optional(),
  client_cert: z.string().min(1).optional(),
  insecure: z.boolean().optional(),
});
export type NamedPlace = z.infer<typeof namedPlace>;

/** How its server is reached, as the library takes it. */
export function tlsOf({ ca, client_cert, insecure }: NamedPlace): TlsOptions {
  return {
    ...(ca === undefined ? {} : { caFile: ca }),
    ...(client_cert === undefined ? {} : { clientCertFile: client_cert }),
    ...(insecure === undefined ? {} : { insecure }),
  };
}

const placesSchema = z.record(z.string(), namedPlace);

const HEAD = ' Places of mlferry by name: mlferry place add NAME LOCATION. No secrets belong here.';

/** The file of named places. */
export function placesFile(environment: Io['environment']): string {
  return join(configDir(environment), 'places.yaml');
}

/** All named places; none where there is no file. Throws USAGE for a file that is not as it should be. */
export function readPlaces(environment: Io['environment']): ReadonlyMap<string, NamedPlace> {
  const path = placesFile(environment);
  const document = readDocument(path);
  const { data, error } = placesSchema.safeParse(document.toJS() ?? {});
  if (error !== undefined)
    throw new MlferryError('USAGE', `${path} is not a list of places: ${z.prettifyError(error)}`, {
      hint: 'Mend it, or move it away; docs/places.md shows what it looks like.',
    });
  return new Map(Object.entries(data));
}

/** Sets a named place, or removes it; what else stands in the file, comments too, stays. */
export function writePlace(
  environment: Io['environment'],
  name: string,
  place: NamedPlace | undefined,
): void {
  const path = placesFile(environment);
  const document = readDocument(path);
  if (place === undefined) document.delete(name);
  else document.set(name, document.createNode(place));
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.partial`, document.toString());
    renameSync(`${path}.partial`, path);
  } catch (error) {
    throw asMlferryError(error, 'USAGE', `${path} cannot be written`);
  }
}

function readDocument(path: string) {
  const document = parseDocument(textOf(path));
  const [problem] = document.errors;
  if (problem !== undefined) throw new MlferryError('USAGE', `${path} is not YAML: ${problem.message}`);
  if (document.contents === null) document.commentBefore ??= HEAD;
  return document;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw asMlferryError(error, 'USAGE', `${path} cannot be read`);
  }
}
