import { MlferryError } from '../../util/errors.ts';
import { type ExperimentContents, runsInList } from './contents.ts';
import type { Notes } from './notes.ts';
import type { LoadedRun } from './run-file.ts';

/** What of an experiment is not in the export, by its own word. */
export function noteExperiment({ experiment, runs, file }: ExperimentContents, notes: Notes): void {
  if (file === undefined) {
    const detail =
      'An export of single runs, traces or models does not tell the tags and times of their experiments; one whose name it does not tell either is called "experiment <id>"';
    notes.neverHeld('experiment', detail);
    return;
  }
  const { listed, failed, hasPermissions } = runsInList(file);
  if (hasPermissions) notes.permissions();
  const { name } = experiment;
  const present = new Set(runs.map(({ run_id }) => run_id));
  for (const run_id of listed) {
    if (present.has(run_id)) continue;
    const message = `${notes.pathOf(file.path)} lists run ${run_id}, which is not in the export or cannot be read`;
    notes.fail(`run ${run_id} of experiment "${name}"`, new MlferryError('SOURCE_ITEM', message), { run_id });
  }
  if (failed.length > 0) {
    const detail = `Runs that could not be exported, as ${notes.pathOf(file.path)} says: ${failed.slice(0, 5).join(', ')}${failed.length > 5 ? ' …' : ''}`;
    notes.loss({
      code: 'NOT_EXPORTED',
      left_behind: true,
      experiment_name: name,
      count: failed.length,
      detail,
    });
  }
}

/** What a run's file does not hold. */
export function noteRun(
  { run, notes: points, has, mlflow_version }: LoadedRun,
  owner: { readonly experiment_name: string; readonly run_id: string },
  notes: Notes,
): void {
  const [, major = Number.NaN, minor = Number.NaN] =
    /^(\d+)\.(\d+)/.exec(mlflow_version ?? '')?.map(Number) ?? [];
  // Runs have dataset inputs since MLflow 2.4.
  if (!has.inputs && !(major < 2 || (major === 2 && minor < 4)))
    notes.neverHeld(
      'dataset_inputs',
      'Exports made before October 2023 do not hold the dataset inputs of runs',
    );
  if (!has.outputs && major >= 3)
    notes.neverHeld(
      'logged models',
      'Exports made before October 2025 do not hold logged models, nor the links of runs to them',
    );
  if (points.withoutHistory > 0)
    notes.neverHeld('histories', 'The first exports (2020) hold only the latest value of each metric');
  if (run.lifecycle_stage === 'deleted')
    notes.neverHeld('deleted_time', 'An export does not tell when runs were deleted');
  if (points.datasets > 0) {
    const detail = 'Points name the dataset they were computed on; that link is not carried';
    notes.loss({ code: 'MODEL_LINKS', ...owner, count: points.datasets, detail });
  }
}
