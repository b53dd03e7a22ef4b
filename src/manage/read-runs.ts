import type { Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { Reader } from '../places/place.ts';
import type { RunKey } from '../places/run-mover.ts';

/** From so many runs of an experiment on, all its runs are listed instead of asking for each. */
const MANY = 100;

/** These runs as they are now, by id; those that are not there are missing. */
export async function readRuns(reader: Reader, keys: ReadonlyArray<RunKey>): Promise<Map<string, Run>> {
  const found = new Map<string, Run>();
  for (const [experiment_id, own] of Map.groupBy(keys, (key) => key.experiment_id)) {
    const ids = new Set(own.map(({ run_id }) => run_id));
    const selection: Selection = {
      experiments: [experiment_id],
      runs: ids.size < MANY ? [...ids] : [],
      view: 'all',
    };
    for await (const experiment of reader.experiments(selection)) {
      // The id may be the name of another experiment.
      if (experiment.experiment_id !== experiment_id) continue;
      for await (const { run } of reader.runs(experiment, selection))
        if (ids.has(run.run_id)) found.set(run.run_id, run);
    }
  }
  return found;
}
