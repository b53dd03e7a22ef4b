import pLimit from 'p-limit';
import { compareInt64 } from '../../../model/int64.ts';
import type { Experiment, Run } from '../../../model/records.ts';
import {
  globMatcher,
  isExcluded,
  type Selection,
  selectsExperiment,
  selectsRun,
} from '../../../model/selection.ts';
import { MlferryError } from '../../../util/errors.ts';
import { nearest } from '../../../util/nearest.ts';
import type { ServerRun } from '../connect/answers.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { searchExperiments } from './searches.ts';

/** Reports something that was selected and is not there; `hint` where it is only left out by the view. */
export type Missing = (object: string, message: string, hint?: string) => void;

const SHOW_ALL = 'Add --view all to take deleted ones along.';
const PARALLEL = 4;

/** The experiments that a selection without run ids names, in the order of their creation. */
export async function selectExperiments(
  client: TrackingClient,
  selection: Selection,
  missing: Missing,
): Promise<Experiment[]> {
  const found: Experiment[] = [];
  const stage = selection.view === 'active' ? 'ACTIVE_ONLY' : 'ALL';
  for await (const experiment of searchExperiments(client, stage)) {
    if (selectsExperiment(selection, experiment)) found.push(experiment);
  }
  await reportUnmatched(client, selection, found, missing);
  return found.sort(byCreation);
}

/** The runs that a selection names by id, each with one request, with their experiments in the order of creation. */
export async function selectRuns(
  client: TrackingClient,
  selection: Selection,
  missing: Missing,
): Promise<Array<{ experiment: Experiment; runs: ServerRun[] }>> {
  const limit = pLimit(PARALLEL);
  const ids = [...new Set(selection.runs)];
  const runs = (await Promise.all(ids.map((id) => limit(() => getRun(client, id, missing))))).filter(
    (run) => run !== undefined,
  );
  const groups: Array<{ experiment: Experiment; runs: ServerRun[] }> = [];
  for (const [experiment_id, own] of Map.groupBy(runs, ({ run }) => run.experiment_id)) {
    const { experiment } = await client.call(routes.experiment, { query: { experiment_id } });
    const taken = own.filter(({ run }) => isTaken(selection, experiment, run, missing));
    if (taken.length > 0) groups.push({ experiment, runs: taken.sort((a, b) => byStart(a.run, b.run)) });
  }
  await reportUnmatched(
    client,
    selection,
    groups.map(({ experiment }) => experiment),
    missing,
  );
  return groups.sort((a, b) => byCreation(a.experiment, b.experiment));
}

/** A run by its id; undefined when it is missing, which is reported. */
export async function getRun(
  client: TrackingClient,
  run_id: string,
  missing: Missing,
): Promise<ServerRun | undefined> {
  try {
    return (await client.call(routes.run, { query: { run_id } })).run;
  } catch (error) {
    if (!(error instanceof MlferryError) || (error.code !== 'NOT_FOUND' && error.code !== 'REFUSED'))
      throw error;
    missing(runObject(run_id), error.code === 'NOT_FOUND' ? 'there is no such run' : error.message);
    return undefined;
  }
}

function isTaken(selection: Selection, experiment: Experiment, run: Run, missing: Missing): boolean {
  if (!selectsExperiment({ ...selection, view: 'all' }, experiment)) {
    missing(
      runObject(run.run_id),
      `the run is in experiment ${quote(experiment.name)}, which is not selected`,
    );
    return false;
  }
  if (selectsExperiment(selection, experiment) && selectsRun(selection, run)) return true;
  const stages = `the run is ${run.lifecycle_stage}, its experiment ${experiment.lifecycle_stage}`;
  missing(runObject(run.run_id), stages, selection.view === 'active' ? SHOW_ALL : undefined);
  return false;
}

/** Reports each name, id or glob that no experiment fits. */
async function reportUnmatched(
  client: TrackingClient,
  selection: Selection,
  found: readonly Experiment[],
  missing: Missing,
) {
  const fits = (name: string, { experiment_id, name: own }: Experiment) =>
    name === experiment_id || globMatcher(name)(own);
  const unmatched = [...new Set(selection.experiments)].filter(
    (name) => !found.some((experiment) => fits(name, experiment)),
  );
  if (unmatched.length === 0) return;
  const others: Experiment[] = [];
  for await (const experiment of searchExperiments(client, 'ALL')) others.push(experiment);
  for (const name of unmatched) {
    const other = others.find((experiment) => fits(name, experiment));
    const object = `experiment ${quote(name)}`;
    const near = nearest(
      name,
      others.map((experiment) => experiment.name),
    );
    if (other === undefined)
      missing(
        object,
        `there is no such experiment${near === undefined ? '' : `; did you mean ${quote(near)}?`}`,
      );
    else if (isExcluded(selection, other)) missing(object, 'all such experiments are excluded');
    else if (!selectsExperiment(selection, other)) missing(object, 'the experiment is deleted', SHOW_ALL);
  }
}

const quote = (text: string) => JSON.stringify(text);
/** What messages call a run. */
export const runObject = (run_id: string) => `run ${quote(run_id)}`;
const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function byCreation(a: Experiment, b: Experiment): number {
  return compareInt64(a.creation_time ?? 0, b.creation_time ?? 0) || byId(a.experiment_id, b.experiment_id);
}

/** Ids are decimal integers on every MLflow server; shorter ones are smaller. */
function byId(a: string, b: string): number {
  return a.length - b.length || byText(a, b);
}

/** The order of readers: (start_time, run_id). */
export function byStart(a: Run, b: Run): number {
  return compareInt64(a.start_time ?? 0, b.start_time ?? 0) || byText(a.run_id, b.run_id);
}
