import type { Run } from '../../../model/records.ts';
import type { ModelVersion } from '../../../model/registered-model.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { TargetContext } from './target-context.ts';

/** The run of a version, where it is on the target: each is asked for once, all are there before the first version is written. */
export type RunLookup = (version: ModelVersion) => Promise<Run | undefined>;

/** A {@link RunLookup} of a pass. */
export function runLookup({ routes }: Pick<TargetContext, 'routes'>): RunLookup {
  const asked = new Map<string, Promise<Run | undefined>>();
  const ask = async (run_id: string) => {
    try {
      return await routes.getRun(run_id);
    } catch (error) {
      if (error instanceof MlferryError && error.code === 'NOT_FOUND') return undefined;
      asked.delete(run_id);
      throw error;
    }
  };
  return async ({ run_id }) => {
    if (run_id === undefined || !routes.changes) return undefined;
    const answer = asked.get(run_id) ?? ask(run_id);
    asked.set(run_id, answer);
    return answer;
  };
}
