import { statSync } from 'node:fs';
import type { Argument, Command, Option } from 'commander';
import { listJobs } from '../job/jobs.ts';
import { listArtifacts } from '../manage/list-artifacts.ts';
import { listModels } from '../manage/list-models.ts';
import { type ListOptions, listExperiments } from '../manage/list-runs.ts';
import { readLocation } from '../places/location-text.ts';
import { plainText } from '../util/plain-text.ts';
import { type CommandLine, optionsOf, readWords } from './command-line.ts';
import type { Io } from './io.ts';
import { PLACE_ARGUMENTS, placeNamed } from './place-names.ts';
import { readPlaces, tlsOf } from './places-file.ts';
import { RUN_FIELDS } from './run-fields.ts';
import { defaultStateDir } from './state-dir.ts';

/** What a word may become, with what it is; `files`: names of files are as good. */
export interface Completions {
  readonly values: ReadonlyArray<readonly [value: string, meaning: string]>;
  readonly files: boolean;
}

/** Nobody waits longer for a server to tell what it has, in ms. */
const PATIENCE = 1500;
const MOST_NAMES = 500;

const NOTHING: Completions = { values: [], files: false };

/** What the last of `words` may become. What cannot be read has nothing to say. */
export async function complete(program: Command, words: readonly string[], io: Io): Promise<Completions> {
  const line = readWords(program, words);
  const { values, files } = await candidates(line, io).catch(() => NOTHING);
  const fitting = values.filter(([value]) => value.startsWith(line.word) && !/[\t\r\n]/.test(value));
  return { values: fitting.map(([value, meaning]) => [`${line.before}${value}`, plainText(meaning)]), files };
}

async function candidates({ command, given, option, word }: CommandLine, io: Io): Promise<Completions> {
  if (option !== undefined) return valuesOf(option, command, given, word, io);
  if (word.startsWith('-')) {
    const options = optionsOf(command).filter(({ hidden }) => !hidden);
    return { values: options.map(({ long, description }) => [long ?? '', description]), files: false };
  }
  if (command.commands.length > 0) {
    const commands = command.createHelp().visibleCommands(command);
    return { values: commands.map((each) => [each.name(), each.description()]), files: false };
  }
  const { registeredArguments } = command;
  const argument = registeredArguments[given.length] ?? registeredArguments.at(-1);
  return argument === undefined ? NOTHING : valuesOf(argument, command, given, word, io);
}

async function valuesOf(
  of: Option | Argument,
  command: Command,
  given: readonly string[],
  word: string,
  io: Io,
): Promise<Completions> {
  const isOption = 'long' in of;
  const name = of.name();
  const only = (values: ReadonlyArray<readonly [string, string]>): Completions => ({ values, files: false });
  if (of.argChoices !== undefined) return only(of.argChoices.map((choice) => [choice, '']));
  if (!isOption && PLACE_ARGUMENTS.has(name)) return { values: namesOfPlaces(io), files: true };
  if (name === 'experiment') return only(await experimentsOf(given[0], io));
  if (name === 'registered-model' || (command.parent?.name() === 'models' && name === 'name'))
    return only(await registeredModelsOf(given[0], io));
  if (command.parent?.name() === 'artifacts' && name === 'path')
    return only(await artifactsOf(given[0], given[1] ?? '', word, io));
  if (name === 'columns') return only(columnsFor(word));
  if (!isOption && name === 'job') return only(await jobs(io));
  if (!isOption && command.parent?.name() === 'place' && name === 'name') return only(namesOfPlaces(io));
  return { values: [], files: isOption && /<(file|dir|path)>/.test(of.flags) };
}

function namesOfPlaces({ environment }: Io): Array<readonly [string, string]> {
  return [...readPlaces(environment)].map(([name, { location }]) => [name, location]);
}

/** Columns, behind those that are there. */
function columnsFor(word: string): Array<readonly [string, string]> {
  const before = word.slice(0, word.lastIndexOf(',') + 1);
  return [...RUN_FIELDS, 'params.', 'metrics.', 'tags.'].map((column) => [`${before}${column}`, '']);
}

/** Names of the experiments of a place. */
async function experimentsOf(
  argument: string | undefined,
  io: Io,
): Promise<Array<readonly [string, string]>> {
  return namesAt(argument, io, async (location, options, take) => {
    await listExperiments(location, options, async ({ experiment_id, name }) => take(name, experiment_id));
  });
}

/** Names of the registered models and prompts of a place. */
async function registeredModelsOf(
  argument: string | undefined,
  io: Io,
): Promise<Array<readonly [string, string]>> {
  return namesAt(argument, io, async (location, options, take) => {
    await listModels(location, options, async ({ name, is_prompt, versions }) =>
      take(name, `${is_prompt ? 'prompt' : 'model'}, ${versions.length} versions`),
    );
  });
}

/** Files of a run, and directories as far as the word goes. */
async function artifactsOf(
  argument: string | undefined,
  run: string,
  word: string,
  io: Io,
): Promise<Array<readonly [string, string]>> {
  return namesAt(argument, io, async (location, options, take) => {
    const directory = word.slice(0, Math.max(0, word.lastIndexOf('/')));
    const { artifacts } = await listArtifacts(location, run, directory, options);
    for (const { path, type } of artifacts) take(type === 'file' ? path : `${path}/`, type);
  });
}

/** Names of what a place has that can tell them soon: no file, which would be read whole. */
async function namesAt(
  argument: string | undefined,
  io: Io,
  list: (
    location: string,
    options: ListOptions,
    take: (name: string, meaning: string) => void,
  ) => Promise<void>,
): Promise<Array<readonly [string, string]>> {
  const given = argument ?? io.environment.MLFLOW_TRACKING_URI;
  if (given === undefined || given === '') return [];
  const named = await placeNamed(given, io);
  const location = named?.location ?? given;
  const { path } = readLocation(location);
  if (location === '-' || (path !== undefined && statSync(path).isFile())) return [];
  const found: Array<readonly [string, string]> = [];
  const { environment } = io;
  const signal = path === undefined ? AbortSignal.any([io.signal, AbortSignal.timeout(PATIENCE)]) : io.signal;
  const tls = named === undefined ? undefined : tlsOf(named);
  await list(location, { environment, signal, tls }, (name, meaning) => {
    if (found.length < MOST_NAMES) found.push([name, meaning]);
  });
  return found;
}

async function jobs({ environment }: Io): Promise<Array<readonly [string, string]>> {
  const all = await listJobs(defaultStateDir(environment));
  return all.map(({ job_id, state, from = '', to = '' }) => [job_id, `${state}: ${from} → ${to}`]);
}
