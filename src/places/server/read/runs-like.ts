import type { Selection } from '../../../model/selection.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { NamedRun } from '../../selecting/run-prefix.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { type RunQuery, searchRuns, trySearch } from './searches.ts';
import { selectExperiments } from './selected.ts';
import { NO_EXPERIMENT, serverDialect } from './server-dialect.ts';

/**
 * The runs of the selected experiments, of any stage, whose ids begin with `start`, which is of hexadecimal digits: one search for
 * each 1000 experiments. Where the server does not look for beginnings itself, all runs of the experiments are looked through.
 */
export async function* runsLike(
  client: TrackingClient,
  selection: Selection,
  start: string,
): AsyncGenerator<NamedRun> {
  const experiments = await selectExperiments(client, { ...selection, view: 'all' }, () => undefined);
  const filter = (await takesLike(client)) ? `attributes.run_id LIKE '${start}%'` : undefined;
  const most = (await serverDialect(client)).experiments;
  for (let at = 0; at < experiments.length; at += most) {
    const chunk = new Map(
      experiments.slice(at, at + most).map(({ experiment_id, name }) => [experiment_id, name]),
    );
    const query: RunQuery = { experiment_ids: [...chunk.keys()], run_view_type: 'ALL', filter };
    for await (const { run } of searchRuns(client, query)) {
      const { run_id, lifecycle_stage, experiment_id } = run;
      if (run_id.startsWith(start))
        yield { run_id, lifecycle_stage, experiment_name: chunk.get(experiment_id) ?? '' };
    }
  }
}

/** Whether the server takes such a search. Databricks' documentation has no LIKE. */
async function takesLike(client: TrackingClient): Promise<boolean> {
  if (client.server.databricks) return false;
  try {
    const filter = "attributes.run_id LIKE '0%'";
    await trySearch(client, { experiment_ids: [NO_EXPERIMENT], run_view_type: 'ALL', filter });
    return true;
  } catch (error) {
    if (!(error instanceof MlferryError) || endsJob(error)) throw error;
    return false;
  }
}
