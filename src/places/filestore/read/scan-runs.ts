import { join } from 'node:path';
import type { Experiment } from '../../../model/records.ts';
import { namesRun, type Selection } from '../../../model/selection.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { listRunDirs, META_FILE } from '../layout/layout.ts';
import { type RunMeta, toRunMeta } from '../layout/meta-records.ts';
import { readMetaYaml } from '../layout/meta-yaml.ts';
import { compareTimes } from './read-experiments.ts';

/** What the scan of an experiment keeps of each run. */
export interface ScannedRun extends Pick<RunMeta, 'run_id' | 'lifecycle_stage' | 'start_time'> {
  readonly directory: string;
  /** The experiment that its `meta.yaml` names, where that is another one: somebody moved the directory. */
  readonly movedFrom?: string;
}

/**
 * The runs of an experiment's directory, of all stages, in the order (start_time, run_id); of a selection by ids only
 * those. A run that cannot be read goes to `fail` with the name of its directory.
 */
export async function scanRuns(
  directory: string,
  experiment: Experiment,
  selection: Selection,
  signal: AbortSignal,
  fail: (name: string, error: unknown) => void,
): Promise<ScannedRun[]> {
  const runs: ScannedRun[] = [];
  for (const name of await listRunDirs(directory)) {
    signal.throwIfAborted();
    if (!namesRun(selection, name)) continue;
    const runDir = join(directory, name);
    try {
      const path = join(runDir, META_FILE);
      const { run_id, experiment_id, lifecycle_stage, start_time } = toRunMeta(
        await readMetaYaml(path),
        path,
      );
      if (run_id !== name)
        throw new MlferryError(
          'SOURCE_ITEM',
          `${path} says run_id "${run_id}", but the directory is "${name}"`,
        );
      const moved = experiment_id === experiment.experiment_id ? {} : { movedFrom: experiment_id };
      runs.push({ run_id, lifecycle_stage, start_time, directory: runDir, ...moved });
    } catch (error) {
      const message = isAbsent(error)
        ? new MlferryError('SOURCE_ITEM', `${runDir} has no ${META_FILE}`)
        : error;
      fail(name, message);
    }
  }
  return runs.sort((a, b) => compareTimes(a.start_time, b.start_time) || (a.run_id < b.run_id ? -1 : 1));
}
