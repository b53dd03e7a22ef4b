import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Ability } from './descriptor.ts';
import type { Manager, PlaceOptions, Reader, Writer, WriterOptions } from './place.ts';
import { either, placeAt, placesThatCan } from './registry.ts';

/** Opens a place for reading. An archive or stream is checked whole before this returns. Throws LOCATION. */
export async function openReader(location: string, options: PlaceOptions): Promise<Reader> {
  const { reader } = placeAt(location);
  if (reader === undefined) throw cannot(location, 'read', 'be read');
  return reader(options);
}

/** Opens a place for writing. Throws LOCATION. */
export async function openWriter(location: string, options: WriterOptions): Promise<Writer> {
  const { writer } = placeAt(location);
  if (writer === undefined) throw cannot(location, 'write', 'be written');
  return writer(options);
}

/** Opens a place whose runs and experiments can be changed in place. Throws LOCATION where they cannot (archive, stream). */
export async function openManager(location: string, options: PlaceOptions): Promise<Manager> {
  const { manager } = placeAt(location);
  if (manager === undefined) throw cannot(location, 'manage', 'be changed in place');
  return manager(options);
}

const DONE: Readonly<Record<Ability, string>> = { read: 'read', write: 'written', manage: 'managed' };

function cannot(location: string, ability: Ability, action: string): MlferryError {
  const able = placesThatCan(ability).map(({ words }) => words.inMany);
  return new MlferryError('LOCATION', `"${redact(location)}" cannot ${action}`, {
    hint: `Runs are ${DONE[ability]} ${either(able, 'and')}.`,
  });
}
