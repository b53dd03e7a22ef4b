import type { Manager } from '../places/manager.ts';
import type { RunKey } from '../places/run-mover.ts';
import { MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { attempt, mismatch } from './attempt.ts';
import { carryOutInBulk } from './bulk.ts';
import { changeObjects } from './change-objects.ts';
import { type ExperimentChange, isInState, type Plan, type RunChange } from './changes.ts';
import type { CarryOut, Outcome } from './outcome.ts';
import { readRuns } from './read-runs.ts';
import { hasTags } from './tag-state.ts';

/**
 * Carries a plan out: experiments become active first and are deleted last; of runs the deepest descendants come first, and
 * a run stays as it is when one below it failed; then models and their versions. Then everything is read back. What fails for one object goes to the
 * findings and the others go on; `outcome` is kept up to date, so that it tells how far an interrupted command came.
 */
export async function carryOut(plan: Plan, job: CarryOut, outcome: Outcome): Promise<void> {
  const { manager } = job;
  const isDeletion = ({ after }: ExperimentChange) => after.lifecycle_stage === 'deleted';
  const done: RunChange[] = [];
  const doneExperiments: ExperimentChange[] = [];
  const experimentStep = (change: ExperimentChange) =>
    attempt(job, outcome, `experiment "${change.name}"`, async () => {
      await changeExperiment(manager, change);
      doneExperiments.push(change);
    });

  for (const change of plan.experiments.filter((change) => !isDeletion(change))) await experimentStep(change);
  const ready = (await plan.prepare?.(job, outcome)) ?? plan.runs;
  const rest = plan.bulk === undefined ? ready : await carryOutInBulk(plan, plan.bulk, job, outcome);
  await changeRuns(rest, plan, job, outcome, done);
  for (const change of plan.experiments.filter(isDeletion)) await experimentStep(change);

  await changeObjects(plan.objects, job, outcome);

  await readBackRuns(done, job, outcome);
  await readBackExperiments(doneExperiments, job, outcome);
}

async function changeRuns(
  runs: readonly RunChange[],
  plan: Plan,
  job: CarryOut,
  outcome: Outcome,
  done: RunChange[],
): Promise<void> {
  const heldBack = new Set<string>();
  const levels = [...new Set(runs.map(({ level }) => level))].sort((a, b) => b - a);
  for (const level of levels) {
    const own = runs.filter((change) => change.level === level);
    await mapConcurrent(own, job.concurrency, async (change) => {
      const succeeded = await attempt(
        job,
        outcome,
        `run ${change.run_id} ("${change.run_name}")`,
        async () => {
          if (heldBack.has(change.run_id))
            throw new MlferryError('INCOMPLETE', 'Left as it is, because a run below it failed');
          await changeRun(job.manager, change);
        },
      );
      if (succeeded) {
        done.push(change);
        outcome.changed += 1;
        job.progress(outcome.changed + outcome.failed);
      } else holdAncestorsBack(change.run_id, plan.parents, heldBack);
    });
  }
}

/** Adds all runs above one to those that stay as they are. */
export function holdAncestorsBack(
  run_id: string,
  parents: ReadonlyMap<string, string>,
  heldBack: Set<string>,
): void {
  for (let id = parents.get(run_id); id !== undefined && !heldBack.has(id); id = parents.get(id))
    heldBack.add(id);
}

async function changeRun(manager: Manager, change: RunChange): Promise<void> {
  const { after } = change;
  if (after.experiment_id !== undefined) {
    if (manager.mover === undefined)
      throw new MlferryError('UNSUPPORTED', 'This place cannot move a run', {
        hint: 'mlferry runs move copies it there and deletes the original.',
      });
    await manager.mover.move(change, after.experiment_id);
  }
  const run = placeOf(change);
  if (after.lifecycle_stage === 'active') await manager.restoreRun(run);
  if (after.tags !== undefined) await manager.setTags(run, after.tags);
  if (after.run_name !== undefined) await manager.renameRun(run, after.run_name);
  if (after.lifecycle_stage === 'deleted')
    await manager.deleteRun(run, Number(after.deleted_time ?? Date.now()));
}

/** Where a run is after its change. */
function placeOf({ run_id, experiment_id, after }: RunChange): RunKey {
  return { run_id, experiment_id: after.experiment_id ?? experiment_id };
}

async function changeExperiment(manager: Manager, { experiment_id, after }: ExperimentChange): Promise<void> {
  if (after.lifecycle_stage === 'active')
    await manager.restoreExperiment(experiment_id, after.deleted_runs ?? []);
  if (after.tags !== undefined) await manager.setExperimentTags(experiment_id, after.tags);
  if (after.name !== undefined) await manager.renameExperiment(experiment_id, after.name);
  if (after.lifecycle_stage === 'deleted') await manager.deleteExperiment(experiment_id);
}

/** A place's yes is no proof: every run is read again. */
async function readBackRuns(done: readonly RunChange[], job: CarryOut, outcome: Outcome): Promise<void> {
  const now = await readRuns(job.manager.reader, done.map(placeOf));
  for (const { run_id, run_name, after } of done) {
    const run = now.get(run_id);
    if (run !== undefined && isInState(run, after)) continue;
    outcome.changed -= 1;
    mismatch(
      job,
      outcome,
      `run ${run_id} ("${run_name}")`,
      run === undefined ? 'it is gone' : 'it did not change',
    );
  }
}

async function readBackExperiments(
  done: readonly ExperimentChange[],
  job: CarryOut,
  outcome: Outcome,
): Promise<void> {
  if (done.length === 0) return;
  const { reader } = job.manager;
  const selection = {
    experiments: done.map(({ experiment_id }) => experiment_id),
    runs: [],
    view: 'all',
  } as const;
  const now = new Map<string, Parameters<typeof reader.runs>[0]>();
  for await (const experiment of reader.experiments(selection)) now.set(experiment.experiment_id, experiment);
  for (const { experiment_id, name, after } of done) {
    const experiment = now.get(experiment_id);
    const right =
      experiment !== undefined &&
      (after.lifecycle_stage === undefined || experiment.lifecycle_stage === after.lifecycle_stage) &&
      (after.name === undefined || experiment.name === after.name) &&
      hasTags(experiment.tags, after.tags ?? {}, true) &&
      (await haveStayed(after.deleted_runs ?? [], experiment_id, job));
    if (right) outcome.changed += 1;
    else mismatch(job, outcome, `experiment "${name}"`, 'it did not change as it should');
  }
}

/** Whether runs that were deleted one by one are still deleted after their experiment was restored. */
async function haveStayed(
  deleted: readonly string[],
  experiment_id: string,
  job: CarryOut,
): Promise<boolean> {
  const runs = await readRuns(
    job.manager.reader,
    deleted.map((run_id) => ({ run_id, experiment_id })),
  );
  return deleted.every((run_id) => runs.get(run_id)?.lifecycle_stage === 'deleted');
}
