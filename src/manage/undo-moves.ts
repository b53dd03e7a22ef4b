import { ORIGIN_TAG, originRunId } from '../model/canonical.ts';
import { ownValue } from '../model/string-map.ts';
import type { Manager } from '../places/manager.ts';
import type { RunKey } from '../places/run-mover.ts';
import type { RunChange } from './changes.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import type { Undo } from './undo-file.ts';

/** The runs of an undo file as they are to be looked for: those that were moved are in another experiment than it says. */
export async function whereNow(manager: Manager, entries: Undo['runs']): Promise<readonly RunKey[]> {
  const moved = entries.filter(({ before }) => before.experiment_id !== undefined);
  if (moved.length === 0 || manager.mover === undefined) return entries;
  const found = await manager.mover.find(moved.map(({ run_id }) => run_id));
  return [...entries.filter((entry) => !moved.includes(entry)), ...found];
}

/** The deletion of the copies that a move made of these runs and that are active, by the id of the original. */
export async function copiesToDelete(
  manager: Manager,
  entries: Undo['runs'],
): Promise<ReadonlyMap<string, RunChange>> {
  const copies = new Map<string, RunChange>();
  for (const [name, own] of Map.groupBy(entries, ({ copied_to }) => copied_to)) {
    if (name === undefined) continue;
    const originals = new Set(own.map(({ run_id }) => run_id));
    const experiment = (await chosenExperiments(manager, { view: 'all' })).find(
      (found) => found.name === name,
    );
    if (experiment === undefined) continue;
    const selection = { experiments: [experiment.experiment_id], runs: [], view: 'active' as const };
    for await (const { run } of manager.reader.runs(experiment, selection)) {
      const original = originRunId(ownValue(run.tags, ORIGIN_TAG) ?? '');
      if (!originals.has(original)) continue;
      const { run_id, experiment_id, run_name, lifecycle_stage } = run;
      copies.set(original, {
        ...{ run_id, experiment_id, run_name, level: 0 },
        before: { lifecycle_stage },
        after: { lifecycle_stage: 'deleted' },
      });
    }
  }
  return copies;
}
