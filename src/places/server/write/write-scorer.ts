import { originId } from '../../../model/canonical.ts';
import { type Scorer, scorer } from '../../../model/scorer.ts';
import { isSameJson } from '../../../model/typed-json.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ObjectWriter } from '../../objects.ts';
import { createOnce } from './create-once.ts';
import type { TargetContext } from './target-context.ts';
import { unlessMissing } from './target-routes.ts';

/**
 * What keeps a number free: a server gives the number after the greatest one that is there, so fillers stand until the
 * version behind them does.
 */
const FILLER = JSON.stringify({ name: 'mlferry.gap' });

/** Writes versions of scorers with their numbers. A number that the target has for another content is REFUSED. */
export function scorerWriter(context: TargetContext): ObjectWriter {
  const { routes } = context;
  /** The versions that the target has of a scorer, by number, kept as they are written. */
  const known = new Map<string, Promise<Map<number, Scorer>>>();

  const versionsOf = ({ experiment_id, scorer_name }: Scorer) => {
    const key = `${experiment_id}/${scorer_name}`;
    const found =
      known.get(key) ??
      routes
        .scorerVersions(experiment_id, scorer_name)
        .catch(noneIfNew)
        .then((all) => new Map(all.map((version) => [Number(version.scorer_version), version])));
    known.set(key, found);
    return found;
  };

  /** In a dry run the experiment may still have to be made. */
  function noneIfNew(error: unknown): Scorer[] {
    if (!routes.changes && error instanceof MlferryError && error.code === 'REFUSED') return [];
    throw error;
  }

  /** Registers one version; one whose answer was lost is found by its number. */
  async function register(wanted: Scorer, serialized_scorer: string, number: number): Promise<Scorer> {
    const find = async () =>
      (await routes.scorerVersions(wanted.experiment_id, wanted.scorer_name)).find(
        (version) => Number(version.scorer_version) === number,
      );
    const version = await createOnce(
      () => routes.registerScorer({ ...wanted, serialized_scorer }),
      async () => (await find())?.scorer_version,
      context,
    );
    return { ...wanted, serialized_scorer, scorer_version: version };
  }

  async function removeFillers(versions: Map<number, Scorer>): Promise<void> {
    for (const [number, version] of versions) {
      if (!isFiller(version)) continue;
      await unlessMissing(routes.deleteScorer(version));
      versions.delete(number);
    }
  }

  async function create(wanted: Scorer, versions: Map<number, Scorer>): Promise<void> {
    const number = Number(wanted.scorer_version);
    for (;;) {
      const next = [...versions.keys()].reduce((most, version) => Math.max(most, version), 0) + 1;
      if (next > number) throw taken(wanted, 'the target has later versions of it');
      const made = await register(wanted, next === number ? wanted.serialized_scorer : FILLER, next);
      versions.set(Number(made.scorer_version), made);
      if (next === number) break;
    }
    await removeFillers(versions);
    const there = await routes.scorerVersions(wanted.experiment_id, wanted.scorer_name);
    const found = there.find(({ scorer_version }) => scorer_version === wanted.scorer_version);
    if (found === undefined || !isSame(found, wanted))
      throw new MlferryError('MISMATCH', `${nameOf(wanted)} was accepted, but reads back differently`);
  }

  return async (_source, target) => {
    const id = originId(target.origin);
    const wanted = scorer.parse(target.remap({ id }));
    const versions = await versionsOf(wanted);
    const done = { id: `${wanted.experiment_id}/${wanted.scorer_name}/${wanted.scorer_version}` };
    const nothing = { ...done, artifacts: 0, bytes: 0 };
    const present = versions.get(Number(wanted.scorer_version));
    if (present !== undefined && isSame(present, wanted)) {
      // What an interrupted pass has left behind.
      await removeFillers(versions);
      return { ...nothing, outcome: 'unchanged' };
    }
    if (present !== undefined && !isFiller(present))
      throw taken(wanted, 'the target has another version of this number');
    if (!routes.changes) return { ...nothing, outcome: 'created' };
    await removeFillers(versions);
    await create(wanted, versions);
    return { ...nothing, outcome: 'created' };
  };
}

/** Servers write the JSON of a scorer anew (3.17). */
const isSame = (a: Scorer, b: Scorer) => isSameJson(a.serialized_scorer, b.serialized_scorer);
const isFiller = ({ serialized_scorer }: Scorer) => isSameJson(serialized_scorer, FILLER);

const nameOf = ({ scorer_name, scorer_version }: Scorer) =>
  `Version ${scorer_version} of scorer ${JSON.stringify(scorer_name)}`;

function taken(wanted: Scorer, reason: string): MlferryError {
  return new MlferryError('REFUSED', `${nameOf(wanted)} cannot be written: ${reason}`, {
    hint: 'Delete the scorer of this name on the target, or copy into another experiment.',
  });
}
