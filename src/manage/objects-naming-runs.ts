import type { ObjectKind } from '../kinds/kind.ts';
import { FURTHER_KINDS } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { allReferencesOf } from '../kinds/remap-object.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import type { Reader } from '../places/place.ts';

/** An object of a further kind that belongs to runs: it names them, or something that does. */
export interface NamingObject {
  readonly of: ObjectKind;
  readonly id: string;
  readonly runs: readonly string[];
}

/** The objects of some kinds that name runs, or objects of those kinds that do, in these experiments and outside of all. */
export async function* objectsNamingRuns(
  reader: Reader,
  experiment_ids: readonly string[],
  runs: ReadonlySet<string>,
  wanted: (of: ObjectKind) => boolean,
): AsyncGenerator<NamingObject> {
  const selection = { ...ALL_ACTIVE, experiments: experiment_ids, runs: [...runs], view: 'all' as const };
  const experiments = [];
  for await (const experiment of reader.experiments({ ...selection, runs: [] })) experiments.push(experiment);
  /** `<kind> <id>` → runs. */
  const known = new Map<string, readonly string[]>([...runs].map((id) => [`run ${id}`, [id]]));
  const knows = (kind: string, id: string) => known.has(`${kind} ${id}`);
  for (const of of FURTHER_KINDS) {
    const source = wanted(of) ? reader.objects?.get(of.kind) : undefined;
    if (source === undefined) continue;
    for await (const { record } of source.read({
      selection,
      experiments,
      isChosen: knows,
      isHeld: () => true,
    })) {
      const named = allReferencesOf(of, record).flatMap(({ kind, id }) => known.get(`${kind} ${id}`) ?? []);
      if (named.length === 0) continue;
      const id = idOf(of, record);
      known.set(`${of.kind} ${id}`, named);
      yield { of, id, runs: [...new Set(named)] };
    }
  }
}

/** Whether objects of a kind can only be made of one run, and say so for ever: versions of registered models. */
const isMadeOfRuns = ({ chosenBy }: ObjectKind) => chosenBy === 'references';

/** The objects that can only be made of a run, and are made of one of these. */
export async function* objectsMadeOfRuns(
  reader: Reader,
  experiment_ids: readonly string[],
  runs: ReadonlySet<string>,
): AsyncGenerator<NamingObject> {
  const kinds = (of: ObjectKind) => of.mention !== undefined || isMadeOfRuns(of);
  for await (const object of objectsNamingRuns(reader, experiment_ids, runs, kinds))
    if (isMadeOfRuns(object.of)) yield object;
}
