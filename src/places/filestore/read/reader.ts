import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileListOf } from '../../../model/file-list.ts';
import type { Experiment, Run } from '../../../model/records.ts';
import { isExcluded, type Selection, selectsExperiment, selectsRun } from '../../../model/selection.ts';
import { isAbsent, MlferryError } from '../../../util/errors.ts';
import { nearest } from '../../../util/nearest.ts';
import type { PlaceInfo, Reader } from '../../place.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { placeStores } from '../../place-stores.ts';
import { artifactsRootOf } from '../../reading/artifacts-root.ts';
import { createSeriesCache } from '../../reading/series-cache.ts';
import { type RunSource, type SourceRun, selectingReader } from '../../selecting/selecting-reader.ts';
import { fingerprintOf, isDirectory, listExperimentDirs, META_FILE, requireStore } from '../layout/layout.ts';
import type { FileStoreLocation } from '../location.ts';
import { FILESTORE_TRAITS } from '../traits.ts';
import { fileStoreRepresentation } from '../write/representation.ts';
import { type ArtifactFinder, storeArtifacts } from './artifacts.ts';
import { asItemError } from './item-error.ts';
import { artifactLocator } from './locate-artifacts.ts';
import { loggedModels } from './logged-models.ts';
import { compareExperiments, type LoadedExperiment, loadExperiment } from './read-experiments.ts';
import { type LoadedRun, loadRun, type RunLoss, readMetrics } from './read-run.ts';
import { registry } from './registry.ts';
import { runsLike } from './runs-like.ts';
import { type ScannedRun, scanRuns } from './scan-runs.ts';
import { storeFindings } from './store-findings.ts';
import { traces } from './traces.ts';

/** Runs whose files are read at once, ahead of the one that is handed out. */
const READ_AHEAD = 8;

/**
 * Opens an `mlruns` directory (MLflow 0.x to 3.x), or the directory that contains one. Throws LOCATION when it is
 * neither. Nothing is written.
 */
export async function openFileStoreReader(place: FileStoreLocation, options: PlaceOptions): Promise<Reader> {
  const { findings, signal } = options;
  const root = await requireStore(place.path);
  const info: PlaceInfo = { kind: 'filestore', location: place.path, fingerprint: await fingerprintOf(root) };
  const found = storeFindings(findings, options.strict ?? false);
  const { once, note, fail, damaged, hasFailed, strict } = found;
  const stores = placeStores(options);
  const finder: ArtifactFinder = {
    locate: artifactLocator(root, await artifactsRootOf(options), stores),
    onUnreachable: (away) =>
      once(`root ${away}`, () => {
        const detail = `The artifact root ${away} is not on this machine: what runs and models have there is left out. --artifacts-root PATH says where it stands now`;
        findings.loss({ code: 'ARTIFACTS_UNREACHABLE', detail });
      }),
  };
  const directories = new Map<string, string>();
  const directoryOf = ({ experiment_id }: Pick<Experiment, 'experiment_id'>) =>
    directories.get(experiment_id) ?? join(root, experiment_id);
  const cache = createSeriesCache();
  const scans = new Map<string, Promise<ScannedRun[]>>();
  /** Run id → directory. */
  const owners = new Map<string, string>();

  const loadExperiments = async (
    selection: Selection,
    trash: boolean,
    quiet = false,
  ): Promise<LoadedExperiment[]> => {
    const loaded: LoadedExperiment[] = [];
    for (const directory of await listExperimentDirs(root, trash)) {
      signal.throwIfAborted();
      const object = `experiment "${directory.name}"`;
      try {
        const item = await loadExperiment(directory);
        const same = loaded.find(
          ({ experiment }) => experiment.experiment_id === item.experiment.experiment_id,
        );
        if (same !== undefined)
          throw new MlferryError('SOURCE_ITEM', `${directory.path} has the same id as ${same.directory}`);
        loaded.push(item);
      } catch (error) {
        if (
          !quiet &&
          (selection.experiments.length === 0 || selection.experiments.includes(directory.name))
        ) {
          const message = isAbsent(error)
            ? new MlferryError('SOURCE_ITEM', `${directory.path} has no ${META_FILE}`)
            : error;
          fail(object, message);
        }
      }
    }
    return loaded.sort((a, b) => compareExperiments(a.experiment, b.experiment));
  };

  const scan = (experiment: Experiment, selection: Selection): Promise<ScannedRun[]> => {
    const directory = directoryOf(experiment);
    // A manager moves runs into it and out of it.
    const changed = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
    const key = JSON.stringify([experiment.experiment_id, directory, changed, selection.runs]);
    const known = scans.get(key);
    if (known !== undefined) return known;
    const job = scanRuns(directory, experiment, selection, signal, (name, error) =>
      fail(runObject(name, experiment), error, name),
    );
    const own = job.then((runs) => runs.filter((run) => isFirst(run, experiment)));
    scans.set(key, own);
    return own;
  };

  /** Directories copied by hand may hold one run twice: an id is that of the first. */
  const isFirst = ({ run_id, directory }: ScannedRun, experiment: Experiment): boolean => {
    const known = owners.get(run_id);
    // A manager moves experiments to the trash and back.
    const first = known !== undefined && existsSync(known) ? known : directory;
    owners.set(run_id, first);
    if (first === directory) return true;
    const message = `${directory} and ${first} have the same run_id; the first one found is read`;
    fail(runObject(run_id, experiment), new MlferryError('SOURCE_ITEM', message), run_id);
    return false;
  };

  const runReader = (loaded: LoadedRun, scanned: ScannedRun, experiment: Experiment): SourceRun => {
    const { losses, damage } = loaded;
    // It belongs to the experiment that it lies in.
    const run: Run = {
      ...loaded.run,
      experiment_id: experiment.experiment_id,
      ...(damage.length > 0 ? { incomplete: true } : {}),
    };
    const owner = { experiment_name: experiment.name, run_id: run.run_id };
    const { run_id: id, artifact_uri } = run;
    const files = storeArtifacts(finder, { id, directory: scanned.directory, artifact_uri }, (loss) =>
      note([loss], owner),
    );
    const artifacts = () => wrapErrors(files.artifacts(), runObject(run.run_id, experiment));
    return {
      run,
      report: () => {
        note([...losses, ...movedLoss(scanned)], owner);
        damaged(runObject(run.run_id, experiment), damage, run.run_id);
      },
      metrics: (keys) =>
        wrapErrors(readMetrics(scanned.directory, cache, keys), runObject(run.run_id, experiment)),
      artifacts,
      fileList: () => fileListOf(artifacts()),
      open: files.open,
    };
  };

  const noteUnmatched = async (
    selection: Selection,
    selected: readonly LoadedExperiment[],
    all: readonly LoadedExperiment[],
  ) => {
    for (const wanted of new Set(selection.experiments)) {
      const named = { ...selection, experiments: [wanted] };
      if (selected.some(({ experiment }) => selectsExperiment(named, experiment))) continue;
      if (hasFailed(`experiment "${wanted}"`)) continue;
      const other = all.some(({ experiment }) => selectsExperiment({ ...named, view: 'all' }, experiment));
      const excluded = all.some(
        ({ experiment }) =>
          isExcluded(selection, experiment) && isExcluded({ exclude_experiments: [wanted] }, experiment),
      );
      const near = nearest(
        wanted,
        all.map(({ experiment }) => experiment.name),
      );
      const message = excluded
        ? `All experiments "${wanted}" are excluded`
        : other
          ? `Experiment "${wanted}" is deleted`
          : `No experiment "${wanted}" in ${place.path}${near === undefined ? '' : `; did you mean "${near}"?`}`;
      fail(`experiment "${wanted}"`, notFound(message, other));
    }
    for (const wanted of new Set(selection.runs)) {
      const found: Run['lifecycle_stage'][] = [];
      let damaged = false;
      for (const { experiment, directory } of selected) {
        if (!/^[^/\\.][^/\\]*$/.test(wanted) || !(await isDirectory(join(directory, wanted)))) continue;
        const runs = await scan(experiment, selection);
        found.push(
          ...runs.filter(({ run_id }) => run_id === wanted).map(({ lifecycle_stage }) => lifecycle_stage),
        );
        damaged ||= found.length === 0;
      }
      if (
        damaged ||
        found.some((lifecycle_stage) => selection.view === 'all' || lifecycle_stage === selection.view)
      )
        continue;
      const other = found[0];
      const message =
        other === undefined
          ? `No run "${wanted}" in the selected experiments`
          : `Run "${wanted}" is ${other}`;
      fail(`run ${wanted}`, notFound(message, other !== undefined));
    }
  };

  const source: RunSource = {
    info,
    traits: FILESTORE_TRAITS,
    representation: fileStoreRepresentation(root),
    objects: new Map([
      ['logged_model', loggedModels(finder, directoryOf, found)],
      ['trace', traces(finder, directoryOf, found)],
      ...registry(root, finder.locate, found),
    ]),
    async *experiments(selection) {
      const named = selection.experiments.length + selection.runs.length > 0;
      const loaded = await loadExperiments(selection, selection.view !== 'active');
      const selected = loaded.filter(({ experiment }) => selectsExperiment(selection, experiment));
      for (const { experiment, directory } of selected) directories.set(experiment.experiment_id, directory);
      if (named)
        await noteUnmatched(
          selection,
          selected,
          selection.view === 'active' ? await loadExperiments(selection, true, true) : loaded,
        );
      for (const { experiment, losses } of selected) {
        note(losses, { experiment_name: experiment.name });
        yield experiment;
      }
    },
    async *runs(experiment, selection) {
      const wanted = (await scan(experiment, selection)).filter((run) => selectsRun(selection, run));
      const directory = directoryOf(experiment);
      for (let start = 0; start < wanted.length; start += READ_AHEAD) {
        signal.throwIfAborted();
        const chunk = wanted.slice(start, start + READ_AHEAD);
        const loaded = await Promise.all(
          chunk.map((scanned) =>
            loadRun(directory, scanned.directory, cache, strict, signal).then(
              (run) => ({ run, scanned }),
              (error: unknown) => ({ error, scanned }),
            ),
          ),
        );
        signal.throwIfAborted();
        for (const item of loaded) {
          if ('error' in item) {
            fail(runObject(item.scanned.run_id, experiment), item.error, item.scanned.run_id);
            continue;
          }
          yield runReader(item.run, item.scanned, experiment);
        }
      }
    },
    async hiddenRuns(experiment, selection) {
      const runs = await scan(experiment, selection);
      return runs.filter(
        (run) => !selectsRun(selection, run) && selectsRun({ ...selection, view: 'all' }, run),
      ).length;
    },
    async *runsLike(selection, start) {
      yield* runsLike(await loadExperiments(selection, true, true), selection, start, signal);
    },
    async close() {
      await stores.close();
      scans.clear();
      cache.clear();
    },
  };
  return selectingReader(source, options);
}

function movedLoss({ movedFrom }: ScannedRun): RunLoss[] {
  if (movedFrom === undefined) return [];
  const detail = `The run was moved here by hand: its ${META_FILE} names experiment ${movedFrom}, and MLflow ignores it. It is taken along with the experiment that it lies in`;
  return [{ code: 'RUN_MOVED', detail }];
}

function notFound(message: string, otherStage: boolean): MlferryError {
  return new MlferryError(
    'NOT_FOUND',
    message,
    otherStage ? { hint: 'Choose the stage with --view deleted or --view all.' } : {},
  );
}

function runObject(runId: string, experiment: Experiment): string {
  return `run ${runId} of experiment "${experiment.name}"`;
}

async function* wrapErrors<T>(items: AsyncIterable<T>, object: string): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw asItemError(error, object);
  }
}
