import { holdAncestorsBack } from '../manage/carry-out.ts';
import { objectsMadeOfRuns } from '../manage/objects-naming-runs.ts';
import type { Experiment } from '../model/records.ts';
import type { Manager } from '../places/manager.ts';
import type { Copy } from './copies-left.ts';

/** Why which of these copies stay, by their ids: what people of the target made of them is theirs. `copies`: ids of all copies. */
export async function keptBack(
  manager: Manager,
  gone: readonly Copy[],
  copies: ReadonlySet<string>,
  experiments: readonly Experiment[],
): Promise<ReadonlyMap<string, string>> {
  const kept = new Map<string, string>();
  for (const { run, isChanged } of gone) {
    if (isChanged === true) kept.set(run.run_id, 'somebody changed it on the target');
    else if (isChanged === undefined)
      kept.set(
        run.run_id,
        'it was not copied whole, or by an earlier mlferry: it cannot be told from a changed one',
      );
  }
  const rest = new Set(gone.map(({ run }) => run.run_id).filter((run_id) => !kept.has(run_id)));
  if (rest.size > 0) {
    for (const { run_id, parent, lifecycle_stage } of await manager.children([...rest]))
      if (lifecycle_stage === 'active' && !copies.has(run_id))
        kept.set(parent, `run ${run_id} below it is the target's own`);
    const ids = experiments.map(({ experiment_id }) => experiment_id);
    for await (const { of, id, runs } of objectsMadeOfRuns(manager.reader, ids, rest))
      for (const run_id of runs) kept.set(run_id, `${of.words.one} ${id} was made of it`);
  }
  const parents = new Map(
    gone.flatMap(({ run, parent }) => (parent === undefined ? [] : [[run.run_id, parent] as const])),
  );
  const above = new Set<string>();
  for (const run_id of [...kept.keys()]) holdAncestorsBack(run_id, parents, above);
  for (const run_id of above) if (!kept.has(run_id)) kept.set(run_id, 'a run below it stays');
  return kept;
}
