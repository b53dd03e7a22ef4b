import { type MoveTarget, NO_PLAN, type Plan } from '../manage/changes.ts';
import { type ManageReport, manage } from '../manage/manage-job.ts';
import {
  chooseMoving,
  type MoveRunsOptions,
  type Moving,
  moveTarget,
  stillRunning,
} from '../manage/plan-move.ts';
import type { Manager } from '../places/manager.ts';
import type { RunMover } from '../places/run-mover.ts';
import { planCopies } from './plan-copies.ts';

/**
 * Moves runs to another experiment of the same place. In an `mlruns` directory they keep their ids and take their logged models
 * and traces along. A server has no such request: there each run is copied under a new id, the copy is compared with it, and
 * only then is it deleted softly. Interrupted and called again it goes on with the rest. Throws NOT_FOUND where the experiment
 * is not there.
 */
export function moveRuns(location: string, options: MoveRunsOptions): Promise<ManageReport> {
  return manage(location, 'move-runs', options, async (manager, ledger) => {
    const target = await moveTarget(manager, options);
    if (manager.mover === undefined) return planCopies(location, manager, target, options, ledger);
    return planInPlace(manager, manager.mover, target, await chooseMoving(manager, target, options));
  });
}

async function planInPlace(
  manager: Manager,
  mover: RunMover,
  target: MoveTarget,
  { runs: chosen, there, ...moving }: Moving,
): Promise<Plan> {
  const unfinished = await mover.unfinished();
  const known = new Set(unfinished.map(({ run_id }) => run_id));
  const misplaced = [];
  for (const run of there) if (!known.has(run.run_id) && (await mover.isMisplaced(run))) misplaced.push(run);
  const after = target.experiment_id === undefined ? {} : { experiment_id: target.experiment_id };
  const runs = [
    ...unfinished.map(({ run_id, experiment_id, to }) => ({
      ...{ run_id, experiment_id, run_name: '', level: 0 },
      before: { experiment_id },
      after: { experiment_id: to },
    })),
    ...misplaced.map(({ experiment_id, ...run }) => ({
      ...{ ...run, experiment_id, level: 0 },
      before: { experiment_id },
      after: { experiment_id },
    })),
    ...chosen
      .filter(({ run_id }) => !known.has(run_id))
      .map(({ run_id, experiment_id, run_name, level }) => ({
        ...{ run_id, experiment_id, run_name, level },
        before: { experiment_id },
        after,
      })),
  ];
  const notes = [
    ...(unfinished.length === 0
      ? []
      : [`an earlier move of ${unfinished.length} of them was interrupted, and is finished first`]),
    ...(misplaced.length === 0
      ? []
      : [
          `${misplaced.length} of them lie there already, moved by hand: MLflow does not see them until they say so`,
        ]),
    ...stillRunning(chosen),
  ];
  return {
    ...NO_PLAN,
    ...moving,
    unchanged: moving.unchanged - misplaced.length,
    runs,
    notes,
    target,
    prepare: async () => {
      const experiment_id = target.experiment_id ?? (await manager.createExperiment(target.name));
      return runs.map((change) => ({ ...change, after: { experiment_id, ...change.after } }));
    },
  };
}
