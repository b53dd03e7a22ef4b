import { kindOf } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { REGISTERED_MODEL } from '../kinds/model-registry.ts';
import { type NewNames, renameIn } from '../kinds/rename-objects.ts';
import { type Run, run as runSchema } from '../model/records.ts';
import type { ObjectReader, ObjectSource } from '../places/objects.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { WHOLE_REGISTRY } from '../places/selecting/registered-choice.ts';
import { MlferryError } from '../util/errors.ts';
import { mustFit, type RenameRule, renamedText } from './rename.ts';

/**
 * A source that has its registered models and prompts under other names, wherever these stand: whatever reads it copies or
 * compares under the new ones. Throws USAGE for a rule that fits no name, and where two names become one.
 */
export async function renamingReader(reader: Reader, rules: readonly RenameRule[] = []): Promise<Reader> {
  if (rules.length === 0) return reader;
  const renaming = newNames(await namesIn(reader), rules);
  const objects = new Map(
    [...(reader.objects ?? [])].map(([kind, source]) => [kind, renamedSource(source, renaming)]),
  );
  return {
    ...reader,
    objects,
    async *runs(experiment, selection) {
      for await (const source of reader.runs(experiment, selection)) yield renamedRun(source, renaming);
    },
  };
}

async function namesIn({ objects }: Reader): Promise<string[]> {
  const of = REGISTERED_MODEL;
  const names: string[] = [];
  for await (const { record } of objects?.get(of.kind)?.read(WHOLE_REGISTRY) ?? [])
    names.push(idOf(of, record));
  return names;
}

function newNames(names: readonly string[], rules: readonly RenameRule[]): NewNames {
  mustFit('--rename-model', rules, names, `no ${REGISTERED_MODEL.words.one} or prompt`);
  const renamed = names.map((name): [string, string] => [name, renamedText(name, rules)]);
  const byName = Map.groupBy(renamed, ([, name]) => name);
  for (const [name, [first, second]] of byName) {
    if (first === undefined || second === undefined) continue;
    const message = `--rename-model: ${JSON.stringify(first[0])} and ${JSON.stringify(second[0])} would both be named ${JSON.stringify(name)}`;
    throw new MlferryError('USAGE', message, { hint: 'Give each a name of its own.' });
  }
  return { of: REGISTERED_MODEL, names: new Map(renamed.filter(([name, other]) => name !== other)) };
}

function renamedSource(source: ObjectSource, renaming: NewNames): ObjectSource {
  return {
    ...source,
    async *read(scope) {
      for await (const object of source.read(scope)) yield renamedObject(object, renaming);
    },
  };
}

function renamedObject(object: ObjectReader, renaming: NewNames): ObjectReader {
  const { of, record, whole } = object;
  return {
    ...object,
    record: renameIn(of, record, renaming),
    ...(whole === undefined ? {} : { whole: async () => renameIn(of, await whole(), renaming) }),
  };
}

/** Only the tags of a run name registered models. */
function renamedRun(source: RunReader, renaming: NewNames): RunReader {
  const { run } = source;
  const { tags } = renameIn(kindOf('run'), run, renaming);
  const renamed: Run = runSchema.parse({ ...run, tags });
  return { ...source, run: renamed };
}
