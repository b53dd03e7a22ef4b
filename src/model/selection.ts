import type { Experiment, Run } from './records.ts';

/** Which lifecycle stages of experiments and runs are wanted. */
export type View = 'active' | 'deleted' | 'all';

/**
 * Which experiments and runs to read. `experiments`: names, ids or globs with `*`; empty means all. `runs`: run
 * ids, or beginnings of them that fit one run only; empty means all. With `deleted`, an experiment of either stage is read for its deleted runs.
 */
export interface Selection {
  readonly experiments: readonly string[];
  readonly runs: readonly string[];
  /** Names, ids or globs of experiments that are left out of those. */
  readonly exclude_experiments?: readonly string[];
  readonly view: View;
  /** Search expression (docs/search-expressions.md) over runs. */
  readonly filter?: string;
  /** Search expression over experiments. */
  readonly experiment_filter?: string;
  /** Columns as in MLflow's `order_by`, for `max_runs`: default `start_time DESC`. Runs still come in the reader's order. */
  readonly order_by?: readonly string[];
  /**
   * Registered models and prompts, as `NAME`, `NAME@alias`, `NAME/3` or `NAME/latest`, names also as globs: these, and the runs
   * and logged models that they were made of.
   */
  readonly registered_models?: readonly string[];
  /** Only runs from which a version of a registered model was made. */
  readonly with_model_version?: boolean;
  /** Search expressions over objects that go along: those that do not fit stay behind. */
  readonly model_filter?: string;
  readonly registered_model_filter?: string;
  readonly model_version_filter?: string;
  readonly trace_filter?: string;
  /** Only this many runs, the first of the whole selection in that order. */
  readonly max_runs?: number;
}

/** The fields with expressions over objects of the further kinds. */
export const OBJECT_FILTERS = [
  'model_filter',
  'registered_model_filter',
  'model_version_filter',
  'trace_filter',
] as const;
export type ObjectFilter = (typeof OBJECT_FILTERS)[number];

/** Whether every run of the selected experiments is wanted, so that an experiment counts even when it is empty. */
export function wantsWholeExperiments(selection: Selection): boolean {
  const { runs, filter, max_runs, registered_models, with_model_version } = selection;
  return (
    runs.length === 0 &&
    filter === undefined &&
    max_runs === undefined &&
    registered_models === undefined &&
    with_model_version !== true
  );
}

/** Everything that is active. */
export const ALL_ACTIVE: Selection = { experiments: [], runs: [], view: 'active' };

/** A matcher for a glob in which `*` stands for any text; everything else is literal. */
export function globMatcher(glob: string): (text: string) => boolean {
  const pattern = glob
    .split('*')
    .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    .join('.*');
  const expression = new RegExp(`^${pattern}$`, 's');
  return (text) => expression.test(text);
}

/** Whether the selection names this experiment (by id, name or glob) and its stage is wanted. */
export function selectsExperiment(
  selection: Selection,
  experiment: Pick<Experiment, 'experiment_id' | 'name' | 'lifecycle_stage'>,
): boolean {
  if (selection.view === 'active' && experiment.lifecycle_stage !== 'active') return false;
  if (isExcluded(selection, experiment)) return false;
  return selection.experiments.length === 0 || isNamed(selection.experiments, experiment);
}

/** Whether an experiment is left out by its name or id. */
export function isExcluded(
  { exclude_experiments = [] }: Pick<Selection, 'exclude_experiments'>,
  experiment: Pick<Experiment, 'experiment_id' | 'name'>,
): boolean {
  return isNamed(exclude_experiments, experiment);
}

function isNamed(
  names: readonly string[],
  { experiment_id, name }: Pick<Experiment, 'experiment_id' | 'name'>,
): boolean {
  return names.some((wanted) => wanted === experiment_id || globMatcher(wanted)(name));
}

/** Ids of long lists, so that each run is not looked for in the whole list. */
const idSets = new WeakMap<readonly string[], ReadonlySet<string>>();

/** Whether the selection names this run, or no run at all. */
export function namesRun({ runs }: Pick<Selection, 'runs'>, run_id: string): boolean {
  if (runs.length === 0) return true;
  const ids = idSets.get(runs) ?? new Set(runs);
  idSets.set(runs, ids);
  return ids.has(run_id);
}

/** Whether the selection wants this run of a selected experiment. */
export function selectsRun(selection: Selection, run: Pick<Run, 'run_id' | 'lifecycle_stage'>): boolean {
  if (selection.view !== 'all' && run.lifecycle_stage !== selection.view) return false;
  return namesRun(selection, run.run_id);
}
