import { createHash } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isInside } from '../../artifacts/local/is-inside.ts';
import { fileListOf } from '../../model/file-list.ts';
import type { Experiment } from '../../model/records.ts';
import { namesRun, selectsExperiment, selectsRun, wantsWholeExperiments } from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';
import type { PlaceInfo, Reader } from '../place.ts';
import type { PlaceOptions } from '../place-options.ts';
import { countHidden, heldRunsLike, reportMissing } from '../reading/held-experiments.ts';
import { createSeriesCache } from '../reading/series-cache.ts';
import { type RunSource, type SourceRun, selectingReader } from '../selecting/selecting-reader.ts';
import { readCatalogue } from './catalogue.ts';
import { readContents, runsInList } from './contents.ts';
import { evaluationDatasets } from './evaluation-datasets.ts';
import { filesBeside } from './files-beside.ts';
import type { ExportLocation } from './location.ts';
import { listLoggedModels, loggedModels } from './logged-models.ts';
import { noteLists } from './missing-in-lists.ts';
import { noteExperiment, noteRun } from './missing-parts.ts';
import { createNotes } from './notes.ts';
import { type FindOwner, registry } from './registry.ts';
import { readRegistry } from './registry-contents.ts';
import { type LoadedRun, loadRun } from './run-file.ts';
import { traces } from './traces.ts';
import { EXPORT_TRAITS } from './traits.ts';

/** Opens a directory that mlflow-export-import wrote, of any generation. Nothing is written, no link is followed. Throws a system error. */
export async function openExportReader(place: ExportLocation, options: PlaceOptions): Promise<Reader> {
  const { findings, signal } = options;
  const root = await realpath(place.path);
  const everything = await readCatalogue(root, signal);
  const notes = createNotes(root, findings);
  const registered = once(() => readRegistry(everything, notes));
  const contents = readContents(everything, signal, () =>
    registered().flatMap(({ versions }) =>
      versions.map(({ record, experiment_name }) => [record.run_id, experiment_name] as const),
    ),
  );
  const { experiments, catalogue } = contents;
  const models = once(() => listLoggedModels(catalogue, notes));
  const info: PlaceInfo = {
    kind: 'export-import',
    location: place.path,
    fingerprint: fingerprintOf(contents.tracking_uri ?? root),
  };
  const cache = createSeriesCache();
  /** Runs that an experiment says could not be exported, by experiment: some of their files may be there. */
  const failed = new Map(
    experiments.map(({ experiment, file }) => [
      experiment.experiment_id,
      new Set(file === undefined ? [] : runsInList(file).failed),
    ]),
  );
  const runsOf = new Map(experiments.map(({ experiment, runs }) => [experiment.experiment_id, runs]));

  const runReader = (loaded: LoadedRun, path: string, { name, experiment_id }: Experiment): SourceRun => {
    const isWhole = failed.get(experiment_id)?.has(loaded.run.run_id) !== true;
    const run = { ...loaded.run, experiment_id, ...(isWhole ? {} : { incomplete: true as const }) };
    const owner = { experiment_name: name, run_id: run.run_id };
    const files = filesBeside(path, (loss) => notes.loss({ ...loss, ...owner }));
    return {
      run,
      report: () => noteRun(loaded, owner, notes),
      metrics: loaded.metrics,
      ...files,
      fileList: () => fileListOf(files.artifacts()),
    };
  };

  const runDirectories = once(
    () => new Map(experiments.flatMap(({ runs }) => runs.map(({ run_id, path }) => [run_id, dirname(path)]))),
  );
  const findOwner: FindOwner = (kind, id) => {
    if (kind === 'run') return runDirectories().get(id);
    const model = models().find(({ model_id }) => model_id === id);
    return model && dirname(model.path);
  };

  const source: RunSource = {
    info,
    traits: EXPORT_TRAITS,
    objects: new Map([
      ['logged_model', loggedModels(models, notes)],
      ['trace', traces(catalogue, notes)],
      ...registry(registered, findOwner, notes),
      ...evaluationDatasets(catalogue, notes),
    ]),
    async *experiments(selection) {
      reportMissing(selection, experiments, info.location, findings);
      for (const { path, reason } of catalogue.skipped)
        notes.failFile(path, new MlferryError('SOURCE_ITEM', `${path} is left out: ${reason}`));
      const selected = experiments.filter(
        ({ experiment, runs }) =>
          selectsExperiment(selection, experiment) &&
          (selection.runs.length === 0 || runs.some(({ run_id }) => namesRun(selection, run_id))),
      );
      const ids = new Set(selected.map(({ experiment }) => experiment.experiment_id));
      for (const { path, error, experiment_id } of contents.damage)
        if (experiment_id === undefined || ids.has(experiment_id)) notes.failFile(path, error);
      for (const { id, name, list } of contents.missing) {
        if (!selectsExperiment(selection, { experiment_id: id, name, lifecycle_stage: 'active' })) continue;
        const message = `${notes.pathOf(list)} lists experiment ${id}, which is not in the export or cannot be read`;
        notes.fail(`experiment "${name}"`, new MlferryError('SOURCE_ITEM', message));
      }
      if (wantsWholeExperiments(selection)) {
        const names = new Set(registered().map(({ model }) => model.name));
        const homes = selected.flatMap(({ file }) => (file === undefined ? [] : [dirname(file.path)]));
        const isChoice = selection.experiments.length + (selection.exclude_experiments ?? []).length > 0;
        const chosen = isChoice
          ? {
              has: (id: string) => ids.has(id),
              holds: (path: string) => homes.some((home) => isInside(home, path)),
            }
          : undefined;
        noteLists(contents.lists, catalogue, names, chosen, notes);
      }
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

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
