import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import type { Manager } from '../places/manager.ts';
import type { Plan, RunChange } from './changes.ts';
import { NO_PLAN } from './changes.ts';
import { chosenRuns, type LeftOutRun } from './chosen-runs.ts';
import { type Descendant, descendantsOf } from './descendants.ts';
import type { ChoiceOptions } from './manage-job.ts';

/** The plan of a deletion (`to`: deleted) or restoration: the chosen runs that are not in that stage yet, and, with `cascade`, those below them. */
export async function planStage(
  manager: Manager,
  to: 'active' | 'deleted',
  options: ChoiceOptions,
  cascade: boolean,
): Promise<Plan> {
  const selection = stageSelection(to, options.selection);
  const before = to === 'active' ? 'deleted' : 'active';
  const names = new Map<string, string>();
  const parents = new Map<string, string>();
  const runs: RunChange[] = [];
  const selected: string[] = [];
  let unchanged = 0;
  const left_out: LeftOutRun[] = [];
  for await (const { experiment, source } of chosenRuns(manager.reader, selection, options, (run) =>
    left_out.push(run),
  )) {
    const { run_id, experiment_id, run_name, lifecycle_stage, deleted_time } = source.run;
    names.set(experiment_id, experiment.name);
    selected.push(run_id);
    if (lifecycle_stage === to) {
      unchanged += 1;
      continue;
    }
    const time = deleted_time === undefined ? {} : { deleted_time };
    runs.push({
      run_id,
      experiment_id,
      run_name,
      level: 0,
      before: { lifecycle_stage, ...time },
      after: { lifecycle_stage: to },
    });
  }
  const below = cascade ? await descendantsOf(manager, selected) : [];
  for (const { run_id, parent } of below) parents.set(run_id, parent);
  const added = below.filter(({ lifecycle_stage }) => lifecycle_stage === before);
  await addNames(manager, added, names);
  runs.push(
    ...added.map(
      ({ run_id, experiment_id, run_name, level }) =>
        ({
          run_id,
          experiment_id,
          run_name,
          level,
          before: { lifecycle_stage: before },
          after: { lifecycle_stage: to },
        }) as const,
    ),
  );
  return { ...NO_PLAN, runs, names, parents, unchanged, left_out, descendants: added.length };
}

/** Runs named by id are looked for in any stage: those that are as they should be are then told apart from missing ones. */
function stageSelection(to: 'active' | 'deleted', given: Partial<Selection> = {}): Selection {
  const view = to === 'active' ? 'deleted' : 'active';
  const named = given.runs !== undefined && given.runs.length > 0;
  return { ...ALL_ACTIVE, view, ...given, ...(named ? { view: 'all' } : {}) };
}

/** Descendants may be in experiments that were not selected. */
export async function addNames(
  manager: Manager,
  added: readonly Descendant[],
  names: Map<string, string>,
): Promise<void> {
  const missing = new Set(added.map(({ experiment_id }) => experiment_id));
  for (const id of names.keys()) missing.delete(id);
  if (missing.size === 0) return;
  const selection: Selection = { experiments: [...missing], runs: [], view: 'all' };
  for await (const { experiment_id, name } of manager.reader.experiments(selection))
    if (missing.has(experiment_id)) names.set(experiment_id, name);
}
