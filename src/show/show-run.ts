import { failureOf, type Ledger } from '../job/ledger.ts';
import { linksOf } from '../kinds/model-links.ts';
import { durationOf } from '../look/duration.ts';
import { type RunSource, sourceOf } from '../look/run-source.ts';
import { chosenRuns } from '../manage/chosen-runs.ts';
import { type ListOptions, readPlace } from '../manage/list-runs.ts';
import type { Failure } from '../model/findings.ts';
import { NOTE_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { ModelVersion } from '../model/registered-model.ts';
import { ownValue } from '../model/string-map.ts';
import type { ArtifactEntry } from '../places/artifact-owner.ts';
import { selectionAt } from '../places/open.ts';
import type { PlaceInfo, Reader, RunReader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { type MetricSummary, metricSummaries } from './metric-summaries.ts';
import { type ModelOfRun, modelsOfRun, versionsOf } from './models-of-run.ts';
import { type Family, familyOf } from './run-family.ts';

/** A file as a list tells it. */
export type ShownFile = Pick<ArtifactEntry, 'path' | 'size' | 'sha256'>;

/** All that a place tells of a run. What could not be read is in `failures`, and missing here. */
export interface RunView {
  readonly kind: 'run_view';
  readonly place: PlaceInfo;
  readonly experiment: Pick<Experiment, 'experiment_id' | 'name'>;
  readonly run: Run;
  /** In ms. */
  readonly duration: number | null;
  readonly source?: RunSource | undefined;
  /** Markdown. */
  readonly note?: string | undefined;
  readonly family: Family;
  readonly metrics: readonly MetricSummary[];
  readonly models: readonly ModelOfRun[];
  readonly versions: readonly ModelVersion[];
  readonly artifacts: readonly ShownFile[];
}

/** What was shown, and what could not be read. */
export interface Shown<T> {
  readonly view: T;
  readonly failures: readonly Failure[];
}

/**
 * A run of any place as a person wants to see it; without an id the one that the location names (the address of a page of MLflow's UI). Throws NOT_FOUND where there is none, otherwise as openReader does.
 */
export async function showRun(
  location: string,
  run_id: string | undefined,
  options: ListOptions = {},
): Promise<Shown<RunView>> {
  const views: RunView[] = [];
  const failures = await readPlace(location, options, async (reader, _, ledger) => {
    const ids = run_id === undefined ? selectionAt(location).runs : [run_id];
    views.push(await viewOf(reader, ids, ledger));
  });
  const [view] = views;
  if (view === undefined) throw new MlferryError('BUG', 'A run was read and is not there');
  return { view, failures };
}

async function viewOf(reader: Reader, ids: readonly string[], ledger: Ledger): Promise<RunView> {
  const selection = { experiments: [], runs: ids, view: 'all' as const };
  for await (const { experiment, source } of chosenRuns(reader, selection))
    return runView(reader, experiment, source, ledger);
  throw new MlferryError('NOT_FOUND', `There is no run ${ids.join(', ')} in ${reader.info.location}`, {
    hint: 'mlferry runs list shows the runs of a place and their ids.',
  });
}

/** The view of a run that is at hand. */
export async function runView(
  reader: Reader,
  experiment: Experiment,
  source: RunReader,
  ledger: Pick<Ledger, 'failure'>,
): Promise<RunView> {
  const { run } = source;
  /** What cannot be read of it costs only that. */
  const part = async <T>(read: () => Promise<T>, without: T): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      const known = asMlferryError(error);
      if (endsJob(known)) throw known;
      ledger.failure(failureOf({ kind: 'run', id: run.run_id, name: run.run_name }, known));
      return without;
    }
  };
  const links = await part(async () => (await source.modelLinks?.()) ?? linksOf(run), linksOf(run));
  const models = await part(() => modelsOfRun(reader, experiment, run, links), []);
  return {
    kind: 'run_view',
    place: reader.info,
    experiment: { experiment_id: experiment.experiment_id, name: experiment.name },
    run,
    duration: durationOf(run),
    source: sourceOf(run),
    note: ownValue(run.tags, NOTE_TAG),
    family: await part(() => familyOf(reader, run), { parents: [], children: [] }),
    metrics: await part(() => metricSummaries(source), []),
    models,
    versions: await part(
      () => versionsOf(reader, { run_id: run.run_id, models: models.map(({ model_id }) => model_id) }),
      [],
    ),
    artifacts: await part(() => filesOf(source), []),
  };
}

/** The files of a run or model, in the order of their paths. */
export async function filesOf(owner: Pick<RunReader, 'artifacts'>): Promise<ShownFile[]> {
  const files: ShownFile[] = [];
  for await (const { path, size, sha256 } of owner.artifacts())
    files.push({
      path,
      ...(size === undefined ? {} : { size }),
      ...(sha256 === undefined ? {} : { sha256 }),
    });
  return files;
}
