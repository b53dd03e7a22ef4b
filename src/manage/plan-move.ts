import { goesOn } from '../model/mlflow/statuses.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Manager } from '../places/manager.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import { addNames } from './change-stage.ts';
import type { MoveTarget, Plan, RunChange } from './changes.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import { chosenRuns, type LeftOutRun } from './chosen-runs.ts';
import { descendantsOf } from './descendants.ts';
import type { ChoiceOptions } from './manage-job.ts';
import { readRuns } from './read-runs.ts';

/** Options of a move. */
export interface MoveRunsOptions extends ChoiceOptions {
  /** Name or id of the experiment that the runs go to. */
  readonly to: string;
  /** Whether it is made when there is none. Default false. */
  readonly create?: boolean | undefined;
  /** Whether runs below the chosen ones (by `mlflow.parentRunId`) go along. Default true. */
  readonly cascade?: boolean | undefined;
  /** Where the journal of the copies stands that a server makes; without it there is none. */
  readonly stateDir?: string | undefined;
}

/** The runs to be moved, and what a plan tells of them. */
export interface Moving extends Pick<Plan, 'names' | 'parents' | 'unchanged' | 'descendants' | 'left_out'> {
  readonly runs: readonly MovingChoice[];
  /** Chosen runs that are in the target already; `unchanged` counts them. */
  readonly there: ReadonlyArray<Pick<RunChange, 'run_id' | 'experiment_id' | 'run_name'>>;
}

/** One of them. */
export type MovingChoice = Omit<RunChange, 'before' | 'after'> & Pick<Run, 'lifecycle_stage' | 'status'>;

/** The experiment that runs go to, by its name or id. Throws NOT_FOUND when there is none and it is not to be made, REFUSED for a deleted one. */
export async function moveTarget(
  manager: Manager,
  { to, create = false }: Pick<MoveRunsOptions, 'to' | 'create'>,
): Promise<MoveTarget> {
  const all = await chosenExperiments(manager, { view: 'all' });
  const fits = (experiment: Experiment) => experiment.name === to || experiment.experiment_id === to;
  const found = all.find(({ name }) => name === to) ?? all.find(fits);
  if (found === undefined && create) return { name: to };
  if (found === undefined) {
    const near = nearest(
      to,
      all.map(({ name }) => name),
    );
    throw new MlferryError('NOT_FOUND', `There is no experiment ${JSON.stringify(to)}`, {
      hint: `${near === undefined ? '' : `Did you mean ${JSON.stringify(near)}? `}--create makes it.`,
    });
  }
  const { experiment_id, name, lifecycle_stage } = found;
  if (lifecycle_stage === 'deleted')
    throw new MlferryError('REFUSED', `Experiment ${JSON.stringify(name)} is deleted`, {
      hint: 'Restore it first: mlferry experiments restore.',
    });
  return { experiment_id, name };
}

/** The chosen runs that are not in the target yet, and, with `cascade`, those below them. Each run is shown to `look`. */
export async function chooseMoving(
  manager: Manager,
  target: MoveTarget,
  options: MoveRunsOptions,
  look: (run: Run) => void = () => undefined,
): Promise<Moving> {
  const given = options.selection ?? {};
  // Runs named by id are looked for in any stage.
  const view = (given.runs ?? []).length > 0 ? 'all' : (given.view ?? 'active');
  const selection: Selection = { ...ALL_ACTIVE, ...given, view };
  const names = new Map<string, string>();
  const runs: MovingChoice[] = [];
  const parents = new Map<string, string>();
  const selected: string[] = [];
  const left_out: LeftOutRun[] = [];
  const there: Array<Moving['there'][number]> = [];
  for await (const { experiment, source } of chosenRuns(manager.reader, selection, options, (run) =>
    left_out.push(run),
  )) {
    const { run_id, experiment_id, run_name, lifecycle_stage, status } = source.run;
    selected.push(run_id);
    if (experiment_id === target.experiment_id) {
      there.push({ run_id, experiment_id, run_name });
      continue;
    }
    names.set(experiment_id, experiment.name);
    const parent = ownValue(source.run.tags, PARENT_TAG);
    if (parent !== undefined) parents.set(run_id, parent);
    look(source.run);
    runs.push({ run_id, experiment_id, run_name, level: 0, lifecycle_stage, status });
  }
  const below = (options.cascade ?? true) ? await descendantsOf(manager, selected) : [];
  for (const { run_id, parent } of below) parents.set(run_id, parent);
  const added = below.filter(({ experiment_id }) => experiment_id !== target.experiment_id);
  await addNames(manager, added, names);
  const found = await readRuns(manager.reader, added);
  for (const { run_id, experiment_id, run_name, level, lifecycle_stage } of added) {
    const run = found.get(run_id);
    if (run === undefined) continue;
    look(run);
    runs.push({ run_id, experiment_id, run_name, level, lifecycle_stage, status: run.status });
  }
  return { runs, there, names, parents, unchanged: there.length, left_out, descendants: added.length };
}

/** A note on runs that somebody may be logging to. */
export function stillRunning(runs: Moving['runs']): string[] {
  const count = runs.filter(goesOn).length;
  return count === 0
    ? []
    : [`${count} of them are not finished: what is logged to a run while it is moved may be missing`];
}
