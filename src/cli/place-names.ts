import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { MlferryError } from '../util/errors.ts';
import { configDir } from './config-dir.ts';
import type { Io } from './io.ts';

/** Arguments of commands that are places, by their names in the help. */
export const PLACE_ARGUMENTS: ReadonlySet<string> = new Set(
  'place places target from to archive stream'.split(' '),
);

/** How a named place is said where a file has the same name. */
const PREFIX = 'place:';

/** What a place may be called. */
export const PLACE_NAME = /^[a-z0-9][a-z0-9_.-]*$/i;

/**
 * Puts the locations of named places in the place of their names among a command's arguments, and their TLS options where the
 * command line has none. Throws LOCATION for `place:NAME` that there is not, and for a name that is a file here too.
 */
export async function usePlaceNames(command: Command, io: Io): Promise<void> {
  for (const [index, argument] of command.registeredArguments.entries()) {
    const given: unknown = command.processedArgs[index];
    if (argument.variadic && Array.isArray(given) && PLACE_ARGUMENTS.has(argument.name())) {
      const named = given.map(async (each) => (await placeNamed(String(each), io))?.location ?? each);
      command.processedArgs[index] = await Promise.all(named);
      continue;
    }
    if (typeof given !== 'string' || !PLACE_ARGUMENTS.has(argument.name())) continue;
    const place = await placeNamed(given, io);
    if (place === undefined) continue;
    command.processedArgs[index] = place.location;
    const side = sideOf(command, index);
    if (side === undefined) continue;
    const settings = { Ca: place.ca, ClientCert: place.client_cert, Insecure: place.insecure };
    for (const [option, value] of Object.entries(settings)) {
      const name = `${side}${option}`;
      if (value !== undefined && command.getOptionValue(name) === undefined)
        command.setOptionValueWithSource(name, value, 'config');
    }
  }
}

/** The place that an argument names; `undefined` where it is a location. */
export async function placeNamed(given: string, { environment }: Pick<Io, 'environment'>) {
  const isSaid = given.startsWith(PREFIX);
  const name = isSaid ? given.slice(PREFIX.length) : given;
  if (!isSaid && (!PLACE_NAME.test(name) || !existsSync(configDir(environment)))) return undefined;
  const { readPlaces } = await import('./places-file.ts');
  const places = readPlaces(environment);
  const place = places.get(name);
  if (place === undefined && isSaid)
    throw new MlferryError('LOCATION', `There is no place named "${name}"`, {
      hint: `Named places are ${[...places.keys()].join(', ') || 'none yet'}; mlferry place add names one.`,
    });
  if (place !== undefined && !isSaid && existsSync(name))
    throw new MlferryError('LOCATION', `"${name}" is a named place, and a file or directory here`, {
      hint: `Write ./${name} for the file, ${PREFIX}${name} for the place.`,
    });
  return place;
}

/** Whose TLS options an argument's are: by what the command has. */
function sideOf(command: Command, index: number): 'from' | 'to' | undefined {
  const has = (side: 'from' | 'to') => command.options.some(({ long }) => long === `--${side}-ca`);
  if (has('from') && has('to')) return index === 0 ? 'from' : 'to';
  const last = command.registeredArguments.length - 1;
  if (has('from')) return index === 0 ? 'from' : undefined;
  if (!has('to')) return undefined;
  const places = command.registeredArguments.filter((argument) => PLACE_ARGUMENTS.has(argument.name()));
  return places.length === 1 || index === last ? 'to' : undefined;
}
