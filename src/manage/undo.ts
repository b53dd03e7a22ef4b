import type { Experiment, Run } from '../model/records.ts';
import type { Manager } from '../places/manager.ts';
import { MlferryError } from '../util/errors.ts';
import {
  type ExperimentChange,
  type ExperimentState,
  isInState,
  NO_PLAN,
  type Plan,
  type RunChange,
  type RunState,
} from './changes.ts';
import { chosenExperiments } from './chosen-experiments.ts';
import { snapshotTags, withoutSnapshot } from './deleted-runs.ts';
import { type ManageOptions, type ManageReport, manage, orListed } from './manage-job.ts';
import { readRuns } from './read-runs.ts';
import { hasTags, tagsBefore } from './tag-state.ts';
import { readUndoFile, type Undo } from './undo-file.ts';
import { copiesToDelete, whereNow } from './undo-moves.ts';
import { planObjects } from './undo-objects.ts';

/**
 * Puts the runs, experiments and models of an undo file back into the state they had before the command that wrote it. What is in
 * that state already is left alone, so an interrupted undo goes on when it is called again. Throws as readUndoFile does.
 */
export async function undo(
  location: string,
  file: string,
  options: ManageOptions = {},
): Promise<ManageReport> {
  const content = await readUndoFile(file);
  return manage(location, 'undo', options, async (manager, ledger) => {
    const notFound = (object: string) =>
      orListed(ledger, object, async () => {
        throw new MlferryError(
          'NOT_FOUND',
          `It is in ${file}, but no longer at ${manager.reader.info.location}`,
        );
      });
    const { header } = content;
    const notes =
      header.fingerprint === manager.reader.info.fingerprint
        ? []
        : [`the undo file was written for ${header.location}, which seems to be another place`];
    const runs = await planRuns(manager, content, notFound);
    const experiments = await planExperiments(manager, content, notFound);
    const objects = await planObjects(manager, content, ledger, notFound);
    return {
      ...NO_PLAN,
      ...runs,
      experiments: experiments.changes,
      objects: objects.changes,
      unchanged: runs.unchanged + experiments.unchanged + objects.unchanged,
      notes,
    };
  });
}

type NotFound = (object: string) => Promise<unknown>;

async function planRuns(
  manager: Manager,
  { runs: entries }: Undo,
  notFound: NotFound,
): Promise<Pick<Plan, 'runs' | 'names' | 'parents' | 'unchanged'>> {
  const now = await readRuns(manager.reader, await whereNow(manager, entries));
  const copies = await copiesToDelete(manager, entries);
  const runs: RunChange[] = [];
  const parents = new Map<string, string>();
  let unchanged = 0;
  for (const { run_id, before: after } of entries) {
    const run = now.get(run_id);
    const copy = copies.get(run_id);
    if (run === undefined) {
      await notFound(`run ${run_id}`);
      continue;
    }
    const { experiment_id, run_name } = run;
    if (isInState(run, after)) unchanged += 1;
    // A copy is deleted when its original is there again, and stays when that failed.
    else runs.push({ run_id, experiment_id, run_name, level: 1, before: stateOf(run, after), after });
    if (copy === undefined) continue;
    runs.push(copy);
    parents.set(run_id, copy.run_id);
  }
  const ids = new Set(runs.map(({ experiment_id }) => experiment_id));
  const selection = { experiments: [...ids], view: 'all' } as const;
  const found = ids.size === 0 ? [] : await chosenExperiments(manager, selection);
  return {
    runs,
    unchanged,
    parents,
    names: new Map(found.map(({ experiment_id, name }) => [experiment_id, name])),
  };
}

async function planExperiments(manager: Manager, { experiments: entries }: Undo, notFound: NotFound) {
  const ids = entries.map(({ experiment_id }) => experiment_id);
  const selection = { experiments: ids, view: 'all' } as const;
  const found = ids.length === 0 ? [] : await chosenExperiments(manager, selection);
  const now = new Map(found.map((experiment) => [experiment.experiment_id, experiment]));
  const changes: ExperimentChange[] = [];
  let unchanged = 0;
  for (const { experiment_id, before } of entries) {
    const experiment = now.get(experiment_id);
    if (experiment === undefined) {
      await notFound(`experiment ${experiment_id}`);
      continue;
    }
    const after = wantedState(before, experiment);
    if (isExperimentInState(experiment, after)) unchanged += 1;
    else
      changes.push({
        experiment_id,
        name: experiment.name,
        runs: 0,
        before: experimentStateOf(experiment, before),
        after,
      });
  }
  return { changes, unchanged };
}

/** The state to go back to; a change of stage brings the snapshot of deleted runs with it, or takes it away. */
function wantedState(before: ExperimentState, { lifecycle_stage, tags }: Experiment): ExperimentState {
  if (before.lifecycle_stage === undefined) return before;
  // In the right stage already: no run is to be deleted again.
  if (lifecycle_stage === before.lifecycle_stage) return { lifecycle_stage };
  return before.lifecycle_stage === 'active'
    ? { ...before, tags: withoutSnapshot(tags) }
    : { ...before, tags: snapshotTags(before.deleted_runs ?? [], tags) };
}

function isExperimentInState(
  experiment: Experiment,
  { lifecycle_stage, name, tags = {} }: ExperimentState,
): boolean {
  return (
    (lifecycle_stage === undefined || experiment.lifecycle_stage === lifecycle_stage) &&
    (name === undefined || experiment.name === name) &&
    hasTags(experiment.tags, tags, true)
  );
}

/** The present state of what is going to be changed. */
function stateOf(run: Run, { lifecycle_stage, experiment_id, run_name, tags }: RunState): RunState {
  const time = run.deleted_time === undefined ? {} : { deleted_time: run.deleted_time };
  return {
    ...(lifecycle_stage === undefined ? {} : { lifecycle_stage: run.lifecycle_stage, ...time }),
    ...(experiment_id === undefined ? {} : { experiment_id: run.experiment_id }),
    ...(run_name === undefined ? {} : { run_name: run.run_name }),
    ...(tags === undefined ? {} : { tags: tagsBefore(run.tags, Object.keys(tags)) }),
  };
}

/** The same of an experiment; which runs are deleted by themselves is in the file already. */
function experimentStateOf(
  experiment: Experiment,
  { lifecycle_stage, name, tags, deleted_runs }: ExperimentState,
): ExperimentState {
  return {
    ...(lifecycle_stage === undefined ? {} : { lifecycle_stage: experiment.lifecycle_stage, deleted_runs }),
    ...(name === undefined ? {} : { name: experiment.name }),
    ...(tags === undefined ? {} : { tags: tagsBefore(experiment.tags, Object.keys(tags)) }),
  };
}
