import type { Run } from '../model/records.ts';
import type { ModelManager } from './model-manager.ts';
import type { Reader } from './place.ts';
import type { RunKey, RunMover } from './run-mover.ts';
import type { TagChanges } from './tag-changes.ts';

/** A run by its parent: what the cascade of a deletion needs to know. */
export interface ChildRun extends Pick<Run, 'run_id' | 'experiment_id' | 'run_name' | 'lifecycle_stage'> {
  /** Value of `mlflow.parentRunId`. */
  readonly parent: string;
}

/**
 * The managing side of a place: changes of single runs and experiments. Each is idempotent and throws NOT_FOUND when the
 * object is not there, REFUSED when the place does not take it. What to change is found with `reader`.
 */
export interface Manager {
  /** Reads the same place; it is closed with the manager. */
  readonly reader: Reader;
  /** All children of these runs, in any experiment and of any stage. */
  children(parents: readonly string[]): Promise<readonly ChildRun[]>;
  /** Soft delete. `time`: ms since the epoch, kept where restore finds it (`deleted_time`, or the tag on a server). */
  deleteRun(run: RunKey, time: number): Promise<void>;
  restoreRun(run: RunKey): Promise<void>;
  /** Throws UNSUPPORTED where what is deleted could not be restored: asked before work whose last step is a deletion. */
  mustDeleteSoftly?(): Promise<void>;
  /** Throws UNSUPPORTED where a copy within the place cannot be all that a run is: asked before a run is replaced by its copy. */
  mustCopyWhole?(): void;
  /** Of an active run. REFUSED, before anything is sent, when a key or value does not fit whole. */
  setTags(run: RunKey, tags: TagChanges): Promise<void>;
  renameRun(run: RunKey, run_name: string): Promise<void>;
  /** Soft delete of an experiment with its active runs. */
  deleteExperiment(experiment_id: string): Promise<void>;
  /** Makes an experiment active, and its runs but those in `deleted`. */
  restoreExperiment(experiment_id: string, deleted: readonly string[]): Promise<void>;
  setExperimentTags(experiment_id: string, tags: TagChanges): Promise<void>;
  renameExperiment(experiment_id: string, name: string): Promise<void>;
  /** Makes an experiment of a name that none has, and gives its id. */
  createExperiment(name: string): Promise<string>;
  /** The model registry and logged models. */
  readonly models: ModelManager;
  /** Where a run can go to another experiment and keep its id: a directory. */
  readonly mover?: RunMover;
  /** Where the place itself deletes and restores by time: Databricks. */
  readonly bulk?: BulkManager;
  close(): Promise<void>;
}

/** Deletion and restoration of many runs of one experiment in one request, at most 10,000; the answer is how many. */
export interface BulkManager {
  /** Runs created at or before `time` (ms). */
  deleteRuns(experiment_id: string, time: number): Promise<{ count: number; full: boolean }>;
  /** Runs deleted at or after `time` (ms). */
  restoreRuns(experiment_id: string, time: number): Promise<{ count: number; full: boolean }>;
}
