import type { Findings } from '../../model/findings.ts';
import type { Experiment, Run } from '../../model/records.ts';
import {
  globMatcher,
  namesRun,
  type Selection,
  selectsExperiment,
  selectsRun,
} from '../../model/selection.ts';
import { errorCodes } from '../../util/errors.ts';
import { nearest } from '../../util/nearest.ts';
import type { NamedRun } from '../selecting/run-prefix.ts';

/** An experiment and its runs, of all stages: all of them, or those that are asked for. */
export interface HeldExperiment {
  readonly experiment: Experiment;
  readonly runs: ReadonlyArray<Pick<Run, 'run_id' | 'lifecycle_stage'>>;
}

/** Tells what a selection names and a place with these experiments does not hold, or holds in another stage. */
export function reportMissing(
  selection: Selection,
  experiments: readonly HeldExperiment[],
  location: string,
  findings: Findings,
): void {
  const report = (object: string, message: string, hint: string = errorCodes.NOT_FOUND.hint) =>
    findings.failure({ code: 'NOT_FOUND', object, message: `${location}: ${message}`, hint });
  const showAll = 'Add --view all to take deleted ones along.';
  for (const name of selection.experiments) {
    const matches = globMatcher(name);
    const named = experiments.filter(({ experiment: e }) => e.experiment_id === name || matches(e.name));
    const object = `experiment ${JSON.stringify(name)}`;
    if (named.length === 0) {
      const near = nearest(
        name,
        experiments.map(({ experiment }) => experiment.name),
      );
      const guess = near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`;
      report(object, `there is no such experiment${guess}`);
    } else if (!named.some(({ experiment }) => selectsExperiment(selection, experiment)))
      report(object, 'it is deleted', showAll);
  }
  if (selection.runs.length === 0) return;
  const held = new Map<string, { experiment: Experiment; run: HeldExperiment['runs'][number] }>();
  for (const { experiment, runs } of experiments) {
    if (!selectsExperiment({ ...selection, view: 'all' }, experiment)) continue;
    for (const run of runs)
      if (namesRun(selection, run.run_id) && !held.has(run.run_id)) held.set(run.run_id, { experiment, run });
  }
  for (const id of selection.runs) {
    const found = held.get(id);
    const object = `run ${JSON.stringify(id)}`;
    if (found === undefined) {
      report(object, 'there is no such run in the selected experiments');
      continue;
    }
    const { experiment, run } = found;
    if (selectsRun(selection, run) && selectsExperiment(selection, experiment)) continue;
    report(
      object,
      `the run is ${run.lifecycle_stage}, its experiment ${experiment.lifecycle_stage}`,
      showAll,
    );
  }
}

/** The runs of the selected experiments whose ids begin with `start`, of any stage. */
export async function* heldRunsLike(
  experiments: readonly HeldExperiment[],
  selection: Selection,
  start: string,
): AsyncGenerator<NamedRun> {
  for (const { experiment, runs } of experiments) {
    if (!selectsExperiment({ ...selection, view: 'all' }, experiment)) continue;
    for (const { run_id, lifecycle_stage } of runs)
      if (run_id.startsWith(start)) yield { run_id, lifecycle_stage, experiment_name: experiment.name };
  }
}

/** How many of these runs the view of a selection leaves out. */
export function countHidden(runs: HeldExperiment['runs'], selection: Selection): number {
  const all: Selection = { ...selection, view: 'all' };
  return runs.filter((run) => selectsRun(all, run) && !selectsRun(selection, run)).length;
}
