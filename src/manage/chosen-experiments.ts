import type { Experiment } from '../model/records.ts';
import { ALL_ACTIVE, type Selection } from '../model/selection.ts';
import type { Manager } from '../places/manager.ts';
import { isDeletedByItself } from './deleted-runs.ts';

/** The experiments that a selection names. */
export async function chosenExperiments(
  { reader }: Pick<Manager, 'reader'>,
  selection: Partial<Selection> | undefined,
): Promise<Experiment[]> {
  const found: Experiment[] = [];
  for await (const experiment of reader.experiments({ ...ALL_ACTIVE, ...selection })) found.push(experiment);
  return found;
}

/** The one experiment of this name or id. Names are taken literally: `*` is no glob here. */
export async function namedExperiment(
  manager: Pick<Manager, 'reader'>,
  name: string,
): Promise<Experiment | undefined> {
  const found = await chosenExperiments(manager, { experiments: [name] });
  return (
    found.find((experiment) => experiment.name === name) ??
    found.find(({ experiment_id }) => experiment_id === name)
  );
}

/** How many runs of a stage an experiment has, and which were deleted by themselves. */
export async function countRuns(
  { reader }: Pick<Manager, 'reader'>,
  experiment: Experiment,
): Promise<{ active: number; deleted: number; byThemselves: string[] }> {
  const counts = { active: 0, deleted: 0, byThemselves: [] as string[] };
  const selection: Selection = { experiments: [experiment.experiment_id], runs: [], view: 'all' };
  for await (const { run } of reader.runs(experiment, selection)) {
    counts[run.lifecycle_stage] += 1;
    if (isDeletedByItself(run, experiment, reader.traits)) counts.byThemselves.push(run.run_id);
  }
  return counts;
}
