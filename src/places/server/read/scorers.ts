import { kindOf } from '../../../kinds/kinds.ts';
import { type Scorer, scorer } from '../../../model/scorer.ts';
import { wantsWholeExperiments } from '../../../model/selection.ts';
import { isSameJson } from '../../../model/typed-json.ts';
import { MlferryError } from '../../../util/errors.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

/** All versions of a scorer, by number; none where there is no such scorer. */
export async function scorerVersions(
  client: TrackingClient,
  experiment_id: string,
  name: string,
): Promise<Scorer[]> {
  try {
    const { scorers } = await client.call(routes.scorerVersions, { query: { experiment_id, name } });
    return scorers.toSorted((a, b) => Number(a.scorer_version) - Number(b.scorer_version));
  } catch (error) {
    if (error instanceof MlferryError && error.code === 'NOT_FOUND') return [];
    throw error;
  }
}

/** Experiments that are asked for in one request. */
const EXPERIMENTS = 100;

/** The last version of each scorer of these experiments; of all together where the server takes several (newest 3.x). */
async function* lastVersions(client: TrackingClient, ids: readonly string[]): AsyncGenerator<Scorer> {
  for (let at = 0; at < ids.length; at += EXPERIMENTS) {
    const experiment_ids = ids.slice(at, at + EXPERIMENTS);
    try {
      yield* (await client.call(routes.scorers, { query: { experiment_ids } })).scorers;
    } catch (error) {
      if (!(error instanceof MlferryError) || error.code !== 'REFUSED') throw error;
      for (const experiment_id of experiment_ids)
        yield* (await client.call(routes.scorers, { query: { experiment_id } })).scorers;
    }
  }
}

/** The scorers of a server. Of deleted experiments it tells none (mlflow/store/tracking/sqlalchemy_store.py). */
export function scorers(client: TrackingClient): ObjectSource {
  const of = kindOf('scorer');
  return {
    represent: (wanted, present) => {
      const [record, { serialized_scorer }] = [scorer.parse(wanted), scorer.parse(present)];
      const same = isSameJson(record.serialized_scorer, serialized_scorer);
      return { record: same ? { ...record, serialized_scorer } : record, losses: [] };
    },
    async *read({ experiments, selection }) {
      // They belong to whole experiments, not to runs.
      if (!wantsWholeExperiments(selection)) return;
      const active = experiments.filter(({ lifecycle_stage }) => lifecycle_stage === 'active');
      const ids = active.map(({ experiment_id }) => experiment_id);
      for await (const { experiment_id, scorer_name } of lastVersions(client, ids))
        for (const record of await scorerVersions(client, experiment_id, scorer_name))
          yield { of, record, ...NO_FILES };
    },
  };
}
