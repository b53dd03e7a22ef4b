import type { Run } from '../model/records.ts';

/** Which run, for changing it. */
export type RunKey = Pick<Run, 'run_id' | 'experiment_id'>;

/** A run on its way from one experiment to another. */
export interface MovingRun extends RunKey {
  /** Id of the experiment that it goes to. */
  readonly to: string;
}

/** How a place gives runs to other experiments, where they keep their ids and all that they have. */
export interface RunMover {
  /** The experiments in which these runs are now; runs that are in none are left out. */
  find(run_ids: readonly string[]): Promise<readonly RunKey[]>;
  /** Runs whose move a process did not live to finish: the next change of the place finishes it first. */
  unfinished(): Promise<readonly MovingRun[]>;
  /** Whether a run lies in an experiment although it says that it is in another one: somebody moved it by hand. */
  isMisplaced(run: RunKey): Promise<boolean>;
  /**
   * Moves a run with its logged models and traces. A run that is there already is only made to say so. Throws NOT_FOUND when it is
   * in neither experiment, REFUSED when the target has another run of its id or another dataset of the same name and digest.
   */
  move(run: RunKey, experiment_id: string): Promise<void>;
}
