import { Readable } from 'node:stream';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import type { Ability } from './descriptor.ts';
import type { Manager } from './manager.ts';
import type { Reader, Writer } from './place.ts';
import type { PlaceOptions, WriterOptions } from './place-options.ts';
import { either, placeAt, places, placesThatCan } from './registry.ts';

/**
 * A selection with its defaults: where it names no experiment and no run, those that the location itself names (the address of
 * a page of MLflow's UI).
 */
export function selectionAt(location: string, selection: Partial<Selection> = {}): Selection {
  const { experiments = [], runs = [] } = selection;
  const chosen = experiments.length + runs.length === 0 ? placeAt(location).chosen() : {};
  return { ...ALL_ACTIVE, ...selection, ...chosen };
}

/**
 * Opens a place for reading. An archive or stream is checked whole before this returns; which of them `-` is, its content tells.
 * Throws LOCATION.
 */
export async function openReader(location: string, options: PlaceOptions): Promise<Reader> {
  if (location === '-' && options.stdin !== undefined) return openPipe(options.stdin, options);
  const { reader } = placeAt(location);
  if (reader === undefined) throw cannot(location, 'read', 'be read');
  return reader(options);
}

async function openPipe(stdin: Readable, options: PlaceOptions): Promise<Reader> {
  const peek = await placeAt('-').descriptor.peekPipe?.();
  const { start, chunks } = (await peek?.(stdin, options)) ?? { start: new Uint8Array(), chunks: stdin };
  const found = places.find(({ inPipe }) => inPipe?.begins(start))?.inPipe?.location ?? '-';
  const { reader } = placeAt(found);
  if (reader === undefined) throw cannot(found, 'read', 'be read');
  return reader({ ...options, stdin: Readable.from(chunks, { objectMode: false }) });
}

/** Opens a place for writing. Throws LOCATION. */
export async function openWriter(location: string, options: WriterOptions): Promise<Writer> {
  const { writer, chosen } = placeAt(location);
  if (writer === undefined) throw cannot(location, 'write', 'be written');
  if (chosen() !== undefined)
    throw noPage(location, 'Name the server without what stands behind the #; --into names an experiment.');
  return writer(options);
}

/** Opens a place whose runs and experiments can be changed in place. Throws LOCATION where they cannot (archive, stream). */
export async function openManager(location: string, options: PlaceOptions): Promise<Manager> {
  const { manager, chosen } = placeAt(location);
  if (manager === undefined) throw cannot(location, 'manage', 'be changed in place');
  if (chosen() !== undefined)
    throw noPage(location, 'Name the server without what stands behind the #, and choose with -e or --run.');
  return manager(options);
}

/** Throws LOCATION, without opening it, where a place is no such whose runs and experiments can be changed in place. */
export function mustBeManageable(location: string): void {
  if (placeAt(location).manager === undefined) throw cannot(location, 'manage', 'be changed in place');
}

/** What is written or changed must be meant: there a page is no place. */
function noPage(location: string, hint: string): MlferryError {
  return new MlferryError('LOCATION', `"${redact(location)}" is a page about an experiment or run`, { hint });
}

const DONE: Readonly<Record<Ability, string>> = { read: 'read', write: 'written', manage: 'managed' };

function cannot(location: string, ability: Ability, action: string): MlferryError {
  const able = placesThatCan(ability).map(({ words }) => words.inMany);
  return new MlferryError('LOCATION', `"${redact(location)}" cannot ${action}`, {
    hint: `Runs are ${DONE[ability]} ${either(able, 'and')}.`,
  });
}
