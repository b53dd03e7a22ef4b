import { dirname, resolve } from 'node:path';
import { fileListOf } from '../../../model/file-list.ts';
import type { Run } from '../../../model/records.ts';
import { selectsExperiment } from '../../../model/selection.ts';
import type { PlaceInfo, Reader } from '../../place.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { placeStores } from '../../place-stores.ts';
import { artifactsRootOf } from '../../reading/artifacts-root.ts';
import { reportMissing } from '../../reading/held-experiments.ts';
import { createPointStore } from '../../reading/point-store.ts';
import { type RunSource, type SourceRun, selectingReader } from '../../selecting/selecting-reader.ts';
import type { Database } from '../connect/database.ts';
import { openDatabase } from '../connect/open-database.ts';
import { readTables } from '../connect/tables.ts';
import { fingerprintOf } from '../fingerprint.ts';
import type { DatabaseLocation } from '../location.ts';
import { DATABASE_TRAITS } from '../traits.ts';
import { artifactRoots } from '../write/artifact-roots.ts';
import { databaseRepresentation } from '../write/representation.ts';
import { readExperiments, withTags } from './experiments.ts';
import { ownFiles } from './files.ts';
import { runCondition } from './filter-runs.ts';
import { artifactLocator } from './locate-artifacts.ts';
import { objectSources } from './objects.ts';
import { readPoints } from './points.ts';
import { countOthers, findRuns, findRunsLike, readRuns } from './runs.ts';
import type { Store } from './store.ts';
import { storeNotes } from './store-notes.ts';
import { noteUnheld } from './unheld.ts';
import { chosenWorkspace } from './workspaces.ts';

/** Points held in memory by one reader, where they have to be put aside. */
const BUDGET_POINTS = 100_000;

/**
 * Opens MLflow's database (1.12 to 3.17) for reading, in one snapshot. Nothing is written to it. Throws NOT_MLFLOW, UNSUPPORTED
 * for another schema, and as the engine's opener does.
 */
export async function openDatabaseReader(place: DatabaseLocation, options: PlaceOptions): Promise<Reader> {
  return (await readerOf(await openDatabase(place, options), place, options)).reader;
}

/** The reader of an open database, and what it reads with. The database is closed with the reader, or when this throws. */
export async function readerOf(
  database: Database,
  place: DatabaseLocation,
  options: PlaceOptions,
): Promise<{ readonly reader: Reader; readonly store: Store }> {
  const location = place.name;
  const stores = placeStores(options);
  try {
    const tables = await readTables(database, location);
    const workspace = await chosenWorkspace({ database, tables }, place.workspace, location);
    const base = place.dialect === 'sqlite' ? dirname(resolve(place.path)) : undefined;
    const roots = { base, artifactsRoot: await artifactsRootOf(options), workspace, stores };
    const locate = artifactLocator(roots);
    const budget = { free: BUDGET_POINTS };
    const keepPoints = () => createPointStore(options.tempDir, budget);
    const store: Store = { stores, database, tables, workspace, locate, keepPoints, ...storeNotes(options) };
    const info: PlaceInfo = {
      kind: 'database',
      location,
      fingerprint: fingerprintOf(place),
    };
    const representation = databaseRepresentation(store, artifactRoots({ ...roots, experiments: [] }));
    const source = databaseSource(store, info, place.workspace !== undefined);
    return { reader: selectingReader({ ...source, representation }, options), store };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function databaseSource(store: Store, info: PlaceInfo, namesWorkspace: boolean): RunSource {
  const sourceRun = (run: Run, experiment_name: string): SourceRun => {
    const { run_id, artifact_uri } = run;
    const files = ownFiles(store, { id: run_id, artifact_uri, experiment_name, run_id });
    return {
      run,
      metrics: (keys) => readPoints(store, run_id, Object.keys(run.latest_metrics), keys),
      ...files,
      fileList: () => fileListOf(files.artifacts()),
    };
  };

  return {
    info,
    traits: { ...DATABASE_TRAITS, knowsDeletionTimes: store.tables.has('runs', 'deleted_time') },
    objects: objectSources(store),
    async *experiments(selection) {
      const all = await readExperiments(store);
      const runs = Map.groupBy(
        (await findRuns(store, selection.runs)).map(({ run_uuid, ...run }) => ({ run_id: run_uuid, ...run })),
        ({ experiment_id }) => experiment_id,
      );
      const held = all.map((experiment) => ({ experiment, runs: runs.get(experiment.experiment_id) ?? [] }));
      reportMissing(selection, held, info.location, { loss: store.note, failure: store.failure });
      const chosen = held.filter(
        (each) =>
          selectsExperiment(selection, each.experiment) &&
          (selection.runs.length === 0 || each.runs.length > 0),
      );
      await noteUnheld(store, selection, namesWorkspace);
      yield* await withTags(
        store,
        chosen.map(({ experiment }) => experiment),
      );
    },
    async *runs(experiment, selection) {
      for await (const runs of readRuns(store, experiment, selection))
        for (const run of runs) yield sourceRun(run, experiment.name);
    },
    async *search(experiment, selection, filter) {
      const condition = runCondition(store, filter);
      for await (const runs of readRuns(store, experiment, selection, condition))
        for (const run of runs) yield { source: sourceRun(run, experiment.name), recheck: filter };
    },
    async *runsLike(selection, start) {
      const names = new Map(
        (await readExperiments(store))
          .filter((experiment) => selectsExperiment({ ...selection, view: 'all' }, experiment))
          .map(({ experiment_id, name }) => [experiment_id, name]),
      );
      for (const { run_uuid, experiment_id, lifecycle_stage } of await findRunsLike(store, start)) {
        const experiment_name = names.get(experiment_id);
        if (experiment_name !== undefined) yield { run_id: run_uuid, lifecycle_stage, experiment_name };
      }
    },
    hiddenRuns: async ({ experiment_id }, { view, runs }) =>
      view === 'all' || runs.length > 0 ? 0 : countOthers(store, experiment_id, view),
    close: async () => {
      await store.stores.close();
      await store.database.close();
    },
  };
}
