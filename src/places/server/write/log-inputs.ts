import type { DatasetInput } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { pause, type RetryPolicy, retryDelay } from '../../../util/retry.ts';
import { isDuplicate } from '../connect/problems.ts';
import type { TargetContext } from './target-context.ts';

/** Of the loss where a server has none. */
export const NO_INPUTS = 'the server has no dataset inputs: those of the run are left out';

const POLICY: RetryPolicy = { retries: 8, factor: 20, jitter: 200, cap: 2_000 };

/**
 * Links a run to its datasets. A dataset that is new to the experiment is made by the server on the way: when several
 * requests bring it at once, all but one are refused by the database's unique key, or wait for each other until the
 * server's connections run out (both seen with 3.17.2 on SQLite). So there is one at a time, and a refusal that another
 * client caused is repeated, which is safe: the server keeps one link of a run to a dataset. False where the server has no such
 * route (FastTrackML, GitLab): then no run there can have inputs, and it is not asked again.
 */
export async function logInputs(
  { routes, signal, inputsLimit, lacks }: Pick<TargetContext, 'routes' | 'signal' | 'inputsLimit' | 'lacks'>,
  run_id: string,
  inputs: readonly DatasetInput[],
): Promise<boolean> {
  const orLacking = (error: unknown) => {
    if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
    lacks.add('inputs');
  };
  for (let attempt = 1; ; attempt++) {
    try {
      return await inputsLimit(async () => {
        if (!lacks.has('inputs')) await routes.logInputs(run_id, inputs).catch(orLacking);
        return !lacks.has('inputs');
      });
    } catch (error) {
      if (!isDuplicate(error) || attempt > POLICY.retries) throw error;
      await pause(retryDelay(POLICY, attempt, undefined), signal);
    }
  }
}
