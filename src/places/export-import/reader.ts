import { createHash } from 'node:crypto';
import { lstat, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Experiment } from '../../model/records.ts';
import { selectsExperiment, selectsRun } from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';
import { filesAt, type Home } from '../files-at.ts';
import { countHidden, heldRunsLike, reportMissing } from '../held-experiments.ts';
import type { PlaceInfo, PlaceOptions, Reader } from '../place.ts';
import { type RunSource, type SourceRun, selectingReader } from '../selecting-reader.ts';
import { createSeriesCache } from '../series-cache.ts';
import { type Catalogue, readCatalogue } from './catalogue.ts';
import { type ExperimentContents, readContents, runsInList } from './contents.ts';
import { ARTIFACTS } from './layout.ts';
import type { ExportLocation } from './location.ts';
import { createNotes, type Notes } from './notes.ts';
import { type LoadedRun, loadRun } from './run-file.ts';
import { EXPORT_TRAITS } from './traits.ts';

/** Opens a directory that mlflow-export-import wrote, of any generation. Nothing is written, no link is followed. Throws a system error. */
export async function openExportReader(place: ExportLocation, options: PlaceOptions): Promise<Reader> {
  const { findings, signal } = options;
  const root = await realpath(place.path);
  const catalogue = await readCatalogue(root, signal);
  const contents = readContents(catalogue, signal, () => new Map());
  const { experiments } = contents;
  const info: PlaceInfo = {
    kind: 'export-import',
    location: place.path,
    fingerprint: fingerprintOf(contents.tracking_uri ?? root),
  };
  const notes = createNotes(root, findings);
  const cache = createSeriesCache();
  const runsOf = new Map(experiments.map(({ experiment, runs }) => [experiment.experiment_id, runs]));

  const runReader = (loaded: LoadedRun, path: string, { name, experiment_id }: Experiment): SourceRun => {
    const run = { ...loaded.run, experiment_id };
    const owner = { experiment_name: name, run_id: run.run_id };
    return {
      run,
      report: () => noteRun(loaded, owner, notes),
      metrics: loaded.metrics,
      ...filesAt(
        () => filesBeside(path),
        (loss) => notes.loss({ ...loss, ...owner }),
      ),
    };
  };

  const source: RunSource = {
    info,
    traits: EXPORT_TRAITS,
    async *experiments(selection) {
      reportMissing(selection, experiments, info.location, findings);
      for (const { path, reason } of catalogue.skipped)
        notes.failFile(path, new MlferryError('SOURCE_ITEM', `${path} is left out: ${reason}`));
      const selected = experiments.filter(
        ({ experiment, runs }) =>
          selectsExperiment(selection, experiment) &&
          (selection.runs.length === 0 || runs.some(({ run_id }) => selection.runs.includes(run_id))),
      );
      const ids = new Set(selected.map(({ experiment }) => experiment.experiment_id));
      for (const { path, error, experiment_id } of contents.damage)
        if (experiment_id === undefined || ids.has(experiment_id)) notes.failFile(path, error);
      for (const { id, name, list } of contents.missing) {
        if (!selectsExperiment(selection, { experiment_id: id, name, lifecycle_stage: 'active' })) continue;
        const message = `${notes.pathOf(list)} lists experiment ${id}, which is not in the export or cannot be read`;
        notes.fail(`experiment "${name}"`, new MlferryError('SOURCE_ITEM', message));
      }
      noteKinds(catalogue, notes);
      for (const each of selected) {
        if (selection.runs.length === 0) noteExperiment(each, notes);
        yield each.experiment;
      }
    },
    async *runs(experiment, selection) {
      for (const head of runsOf.get(experiment.experiment_id) ?? []) {
        signal.throwIfAborted();
        if (!selectsRun(selection, head)) continue;
        let loaded: LoadedRun;
        try {
          loaded = await loadRun(head.path, cache);
        } catch (error) {
          notes.failFile(head.path, error, { run_id: head.run_id });
          continue;
        }
        yield runReader(loaded, head.path, experiment);
      }
    },
    runsLike: (selection, start) => heldRunsLike(experiments, selection, start),
    hiddenRuns: async ({ experiment_id }, selection) =>
      countHidden(runsOf.get(experiment_id) ?? [], selection),
    async close() {
      cache.clear();
    },
  };
  return selectingReader(source, options);
}

/** That of the server, made as a server's own, so that a copy of it and of its export find the same runs. */
function fingerprintOf(tracking_uri: string): string {
  let identity = tracking_uri;
  if (/^https?:/i.test(tracking_uri) && URL.canParse(tracking_uri)) {
    const url = new URL(tracking_uri);
    url.username = url.password = url.hash = url.search = '';
    identity = `${url.href.replace(/\/+$/, '')} `;
  }
  return createHash('sha256').update(identity).digest('hex').slice(0, 16);
}

/** The directory of an object's files, beside its own. A link in its place is not followed: it could lead anywhere. */
async function filesBeside(path: string): Promise<Home> {
  const directory = join(dirname(path), ARTIFACTS);
  const entry = await lstat(directory).catch(() => undefined);
  if (entry?.isSymbolicLink() !== true) return { path: directory };
  const detail = `The artifacts are left out: ${directory} is a symbolic link, which is not followed`;
  return { loss: { code: 'ARTIFACTS_NOT_CARRIED', detail } };
}

/** Objects of kinds that are not read. */
function noteKinds({ files }: Catalogue, notes: Notes): void {
  for (const [part, paths] of files) {
    if (part === 'experiment' || part === 'run' || part === 'index') continue;
    const detail = `Files of an export that are not read yet: ${part}s`;
    notes.loss({ code: 'KIND_NOT_HELD', count: paths.length, detail });
  }
}

/** What of an experiment is not in the export, by its own word. */
function noteExperiment({ experiment, runs, file }: ExperimentContents, notes: Notes): void {
  if (file === undefined) {
    const detail =
      'An export of single runs, traces or models does not tell the tags and times of their experiments; one whose name it does not tell either is called "experiment <id>"';
    notes.neverHeld('experiment', detail);
    return;
  }
  const { listed, failed } = runsInList(file);
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
function noteRun(
  { run, notes: points, has, mlflow_version }: LoadedRun,
  owner: { readonly experiment_name: string; readonly run_id: string },
  notes: Notes,
): void {
  const version = Number(
    /^(\d+\.\d+)/.exec(mlflow_version ?? '')?.[1]?.replace(/\.(\d)$/, '.0$1') ?? Number.NaN,
  );
  if (!has.inputs && !(version < 2.04))
    notes.neverHeld(
      'dataset_inputs',
      'Exports made before October 2023 do not hold the dataset inputs of runs',
    );
  if (!has.outputs && version >= 3)
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
