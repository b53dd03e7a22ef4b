import { idOf } from '../../kinds/marks.ts';
import { REGISTERED_MODEL, VERSION } from '../../kinds/model-registry.ts';
import type { Findings } from '../../model/findings.ts';
import type { Selection } from '../../model/selection.ts';
import type { ObjectReader, ObjectScope, ObjectSource } from '../objects.ts';
import type { Reader } from '../place.ts';
import { fittingObjects } from './object-filter.ts';
import {
  chooseRegistered,
  type RegisteredChoice,
  runsWithVersions,
  WHOLE_REGISTRY,
} from './registered-choice.ts';

/** Ids in one condition: a longer list is judged here, no server is asked. */
const MOST_IDS = 500;

/**
 * A reader that knows `registered_models`, `with_model_version` and the filters over objects of selections: the runs become a condition of the filter, so
 * all that holds for filters holds for them; of the registry only what is chosen is read.
 */
export function registeredReader(reader: Reader, findings: Findings): Reader {
  const choices = new Map<string, Promise<RegisteredChoice>>();
  let withVersions: Promise<ReadonlySet<string>> | undefined;

  const choiceOf = (patterns: readonly string[]): Promise<RegisteredChoice> => {
    const key = JSON.stringify(patterns);
    const choice = choices.get(key) ?? chooseRegistered(reader, patterns, findings);
    choices.set(key, choice);
    return choice;
  };

  const narrowed = async (selection: Selection): Promise<Selection> => {
    const { registered_models: patterns, with_model_version: registeredOnly } = selection;
    const sets: ReadonlySet<string>[] = [];
    if (patterns !== undefined) sets.push((await choiceOf(patterns)).runs);
    if (registeredOnly === true) {
      withVersions ??= runsWithVersions(reader);
      sets.push(await withVersions);
    }
    if (sets.length === 0) return selection;
    const { filter } = selection;
    const conditions = [...(filter === undefined ? [] : [`(${filter})`]), ...sets.map(isOneOf)];
    return { ...selection, filter: conditions.join(' AND ') };
  };

  const chosenOnes = async function* (kind: string, scope: ObjectScope): AsyncGenerator<ObjectReader> {
    const source = reader.objects?.get(kind);
    const { registered_models: patterns } = scope.selection;
    if (source === undefined) return;
    if (patterns === undefined) yield* source.read(scope);
    else yield* chosenOf(kind, source, scope, await choiceOf(patterns));
  };
  const narrowedSource = (kind: string, source: ObjectSource): ObjectSource => ({
    ...source,
    read: (scope) => fittingObjects(kind, chosenOnes, scope),
  });
  const { objects, explain } = reader;

  return {
    ...reader,
    ...(objects === undefined
      ? {}
      : { objects: new Map([...objects].map(([kind, source]) => [kind, narrowedSource(kind, source)])) }),
    async *experiments(selection) {
      yield* reader.experiments(await narrowed(selection));
    },
    async *runs(experiment, selection) {
      yield* reader.runs(experiment, await narrowed(selection));
    },
    ...(explain === undefined ? {} : { explain: async (selection) => explain(await narrowed(selection)) }),
  };
}

/** Of the registry only what is chosen; of other kinds that besides what the runs bring. */
async function* chosenOf(
  kind: string,
  source: ObjectSource,
  scope: ObjectScope,
  { objects }: RegisteredChoice,
): AsyncGenerator<ObjectReader> {
  const isRegistry = kind === REGISTERED_MODEL.kind || kind === VERSION.kind;
  const { selection } = isRegistry ? WHOLE_REGISTRY : scope;
  for await (const object of source.read({ ...scope, selection })) {
    const isChosen = objects.get(kind)?.has(idOf(object.of, object.record)) === true;
    if (isChosen) yield { ...object, belongs: true };
    else if (!isRegistry) yield object;
  }
}

/** A condition of search expressions. */
function isOneOf(ids: ReadonlySet<string>): string {
  if (ids.size === 0) return "run_id = ''";
  const all = [...ids].map((id) => `'${id}'`);
  const lists = Array.from({ length: Math.ceil(all.length / MOST_IDS) }, (_, at) =>
    all.slice(at * MOST_IDS, (at + 1) * MOST_IDS),
  );
  return `(${lists.map((list) => `run_id IN (${list.join(', ')})`).join(' OR ')})`;
}
