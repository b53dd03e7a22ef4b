import { kindOf } from '../../../kinds/kinds.ts';
import { isSameJson } from '../../../model/exact-json.ts';
import { type Scorer, scorer } from '../../../model/scorer.ts';
import { MlferryError } from '../../../util/errors.ts';
import { NO_FILES, type ObjectSource } from '../../place.ts';
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

/** The scorers of a server. Of deleted experiments it tells none (mlflow/store/tracking/sqlalchemy_store.py). */
export function scorers(client: TrackingClient): ObjectSource {
  const of = kindOf('scorer');
  return {
    represent: (wanted, present) => {
      const [record, { serialized_scorer }] = [scorer.parse(wanted), scorer.parse(present)];
      const same = isSameJson(record.serialized_scorer, serialized_scorer);
      return { record: same ? { ...record, serialized_scorer } : record, losses: [] };
    },
    async *read({ experiments }) {
      for (const { experiment_id, lifecycle_stage } of experiments) {
        if (lifecycle_stage === 'deleted') continue;
        const { scorers: last } = await client.call(routes.scorers, { query: { experiment_id } });
        const names = new Set(last.map(({ scorer_name }) => scorer_name));
        for (const name of [...names].sort())
          for (const record of await scorerVersions(client, experiment_id, name))
            yield { of, record, ...NO_FILES };
      }
    },
  };
}
