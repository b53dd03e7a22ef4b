import { type Selection, selectsExperiment } from '../../../model/selection.ts';
import type { NamedRun } from '../../selecting/run-prefix.ts';
import { listRunDirs } from '../layout/layout.ts';
import type { LoadedExperiment } from './read-experiments.ts';
import { scanRuns } from './scan-runs.ts';

/** The runs of these experiments whose directories' names begin with `start`: no other run is read, and nothing is reported. */
export async function* runsLike(
  experiments: readonly LoadedExperiment[],
  selection: Selection,
  start: string,
  signal: AbortSignal,
): AsyncGenerator<NamedRun> {
  for (const { experiment, directory } of experiments) {
    if (!selectsExperiment({ ...selection, view: 'all' }, experiment)) continue;
    const names = (await listRunDirs(directory)).filter((name) => name.startsWith(start));
    if (names.length === 0) continue;
    const named = { ...selection, runs: names };
    for (const run of await scanRuns(directory, experiment, named, signal, () => undefined))
      yield { ...run, experiment_name: experiment.name };
  }
}
