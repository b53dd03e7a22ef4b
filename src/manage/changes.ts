import { z } from 'zod';
import { int64 } from '../model/int64.ts';
import { lifecycleStage, type Run } from '../model/records.ts';
import { mapOf } from '../model/string-map.ts';
import type { LeftOutRun } from './chosen-runs.ts';
import type { ObjectChange } from './object-changes.ts';
import type { CarryOut, Outcome } from './outcome.ts';
import { hasTags } from './tag-state.ts';

/** What a command may change of a run; absent = left as it is. A tag `null` = not there. */
export const runState = z.strictObject({
  lifecycle_stage: lifecycleStage.optional(),
  /** Of a place where a run can move and keep its id. */
  experiment_id: z.string().min(1).optional(),
  /** ms since the epoch, where the place knew it. */
  deleted_time: int64.optional(),
  run_name: z.string().optional(),
  tags: mapOf(z.string().nullable()).optional(),
});
export type RunState = z.infer<typeof runState>;

/** What a command may change of an experiment; absent = left as it is. */
export const experimentState = z.strictObject({
  lifecycle_stage: lifecycleStage.optional(),
  name: z.string().optional(),
  tags: mapOf(z.string().nullable()).optional(),
  /** Runs that were deleted one by one, before the experiment was deleted: restoring it leaves them deleted. */
  deleted_runs: z.array(z.string()).optional(),
});
export type ExperimentState = z.infer<typeof experimentState>;

/** One run, as it is and as it is to be. */
export interface RunChange {
  readonly run_id: string;
  readonly experiment_id: string;
  readonly run_name: string;
  /** Distance from the selected run above it: deeper ones are changed first, so that an interrupted command finds them again. */
  readonly level: number;
  /** Name of the experiment of this place that gets a copy of it first: undoing deletes that copy. */
  readonly copied_to?: string;
  readonly before: RunState;
  readonly after: RunState;
}

/** One experiment, as it is and as it is to be. `runs`: how many it has that change with it. */
export interface ExperimentChange {
  readonly experiment_id: string;
  readonly name: string;
  readonly runs: number;
  readonly before: ExperimentState;
  readonly after: ExperimentState;
}

/** What a command is going to do; made before anything is changed. */
export interface Plan {
  readonly runs: readonly RunChange[];
  readonly experiments: readonly ExperimentChange[];
  /** Registered models, versions and logged models. */
  readonly objects: readonly ObjectChange[];
  /** Names of the experiments that the runs are in, by id. */
  readonly names: ReadonlyMap<string, string>;
  /** Objects that already are as they should be. */
  readonly unchanged: number;
  /** Of `runs`, those that were not selected themselves. */
  readonly descendants: number;
  /** Runs that the time of deletion that was asked for leaves out. */
  readonly left_out: readonly LeftOutRun[];
  /** Child → parent, of the runs a cascade went through: a run whose descendant failed is left as it is. */
  readonly parents: ReadonlyMap<string, string>;
  /** Sentences for people. */
  readonly notes: readonly string[];
  /** Where the runs go, of a move. */
  readonly target?: MoveTarget;
  /** What has to be done before runs are changed; gives the changes that may follow it. */
  readonly prepare?: (job: CarryOut, outcome: Outcome) => Promise<readonly RunChange[]>;
  /** The place can do exactly this by itself, in these experiments. */
  readonly bulk?: { readonly experiments: readonly string[]; readonly time: number };
}

/** The experiment that runs move to; `experiment_id` is absent while it is not made yet. */
export interface MoveTarget {
  readonly name: string;
  readonly experiment_id?: string;
}

/** A plan with nothing in it, to be spread into others. */
export const NO_PLAN: Plan = {
  runs: [],
  experiments: [],
  objects: [],
  names: new Map(),
  unchanged: 0,
  descendants: 0,
  left_out: [],
  parents: new Map(),
  notes: [],
};

/** Whether a run is in this state. */
export function isInState(
  run: Run,
  { lifecycle_stage, experiment_id, run_name, tags = {} }: RunState,
): boolean {
  return (
    (experiment_id === undefined || run.experiment_id === experiment_id) &&
    (lifecycle_stage === undefined || run.lifecycle_stage === lifecycle_stage) &&
    (run_name === undefined || run.run_name === run_name) &&
    hasTags(run.tags, tags)
  );
}
