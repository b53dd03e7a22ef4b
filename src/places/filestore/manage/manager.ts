import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DELETED_TIME_TAG } from '../../../model/canonical.ts';
import { PARENT_TAG, RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { asMlferryError, MlferryError } from '../../../util/errors.ts';
import type { ChildRun, Manager } from '../../manager.ts';
import type { PlaceOptions } from '../../place-options.ts';
import type { RunKey } from '../../run-mover.ts';
import { isDirectory, listExperimentDirs, requireStore, TRASH } from '../layout/layout.ts';
import { createStaging } from '../layout/staging.ts';
import type { FileStoreLocation } from '../location.ts';
import { openFileStoreReader } from '../read/reader.ts';
import {
  changeExperiment,
  changeRun,
  deleteExperiment,
  moveExperiment,
  runsIn,
} from '../write/change-stage.ts';
import { createTargetExperiments, newExperiment } from '../write/target-experiments.ts';
import { readTag } from '../write/target-runs.ts';
import { fileStoreModelManager } from './model-manager.ts';
import { createRunMover } from './run-mover.ts';
import { writeTags } from './write-tags.ts';

/** MLflow's own file store refuses to delete it (mlflow/store/tracking/file_store.py). */
const DEFAULT_ID = '0';

/**
 * Opens an `mlruns` directory for changes of its runs and experiments, as MLflow's own file store makes them: deleted runs
 * stay in place with their `deleted_time`, deleted experiments move to `.trash`. Throws LOCATION as the reader does; a
 * change throws CONFLICT while another process of mlferry writes to the directory.
 */
export async function openFileStoreManager(
  place: FileStoreLocation,
  options: PlaceOptions,
): Promise<Manager> {
  const reader = await openFileStoreReader(place, options);
  const root = await requireStore(place.path);
  const staging = createStaging(root);
  /** The first change keeps other processes of mlferry off. */
  let opened: Promise<void> | undefined;
  let known: Promise<Map<string, ChildRun[]>> | undefined;

  const guard = async <T>(object: string, work: () => Promise<T>): Promise<T> => {
    try {
      opened ??= staging.open().then(() => mover.finishMoves());
      await opened;
      return await work();
    } catch (error) {
      throw asMlferryError(error, 'BUG', object);
    }
  };

  const experimentDir = async (experiment_id: string): Promise<string> => {
    for (const directory of [join(root, experiment_id), join(root, TRASH, experiment_id)])
      if (await isDirectory(directory)) return directory;
    throw new MlferryError('NOT_FOUND', `${place.path} has no experiment ${experiment_id}`);
  };

  const mover = createRunMover({ root, staging, experimentDir, guard });

  const runDir = async ({ run_id, experiment_id }: RunKey): Promise<string> => {
    const directory = join(await experimentDir(experiment_id), run_id);
    if (await isDirectory(directory)) return directory;
    throw new MlferryError('NOT_FOUND', `Experiment ${experiment_id} of ${place.path} has no run ${run_id}`);
  };

  const listChildren = async () => {
    const found: ChildRun[] = [];
    for (const { path: directory } of await listExperimentDirs(root, true)) {
      for (const { directory: own, meta } of await runsIn(directory)) {
        const parent = await readTag(own, PARENT_TAG);
        const { run_id, experiment_id, run_name, lifecycle_stage } = meta;
        if (parent !== undefined) found.push({ run_id, experiment_id, run_name, lifecycle_stage, parent });
      }
    }
    return Map.groupBy(found, ({ parent }) => parent);
  };

  return {
    reader,
    async children(parents) {
      known ??= listChildren();
      const all = await known;
      return parents.flatMap((id) => all.get(id) ?? []);
    },
    deleteRun: (run, time) =>
      guard(`run ${run.run_id}`, async () => {
        await changeRun(staging, await runDir(run), { lifecycle_stage: 'deleted', deleted_time: time });
      }),
    restoreRun: (run) =>
      guard(`run ${run.run_id}`, async () => {
        const directory = await runDir(run);
        await changeRun(staging, directory, { lifecycle_stage: 'active' });
        // Of a deletion through a server on this directory.
        await rm(join(directory, 'tags', DELETED_TIME_TAG), { force: true });
      }),
    setTags: (run, tags) =>
      guard(`run ${run.run_id}`, async () => writeTags(staging, join(await runDir(run), 'tags'), tags)),
    renameRun: (run, run_name) =>
      guard(`run ${run.run_id}`, async () => {
        const directory = await runDir(run);
        await writeTags(staging, join(directory, 'tags'), { [RUN_NAME_TAG]: run_name });
        await changeRun(staging, directory, { run_name });
      }),
    deleteExperiment: (experiment_id) =>
      guard(`experiment ${experiment_id}`, async () => {
        if (experiment_id === DEFAULT_ID)
          throw new MlferryError('REFUSED', 'MLflow does not let the default experiment be deleted');
        const directory = await experimentDir(experiment_id);
        const now = Date.now();
        await deleteExperiment(staging, root, directory, experiment_id, now, now);
      }),
    restoreExperiment: (experiment_id, deleted) =>
      guard(`experiment ${experiment_id}`, async () => {
        const found = await experimentDir(experiment_id);
        const directory =
          found === join(root, experiment_id)
            ? found
            : await moveExperiment(root, found, root, experiment_id);
        const stay = new Set(deleted);
        for (const { directory: own, meta } of await runsIn(directory)) {
          if (!stay.has(meta.run_id)) await changeRun(staging, own, { lifecycle_stage: 'active' });
          else if (meta.lifecycle_stage === 'active')
            await changeRun(staging, own, { lifecycle_stage: 'deleted', deleted_time: Date.now() });
        }
        await changeExperiment(staging, directory, {
          lifecycle_stage: 'active',
          last_update_time: Date.now(),
        });
      }),
    setExperimentTags: (experiment_id, tags) =>
      guard(`experiment ${experiment_id}`, async () =>
        writeTags(staging, join(await experimentDir(experiment_id), 'tags'), tags),
      ),
    renameExperiment: (experiment_id, name) =>
      guard(`experiment ${experiment_id}`, async () =>
        changeExperiment(staging, await experimentDir(experiment_id), { name, last_update_time: Date.now() }),
      ),
    createExperiment: (name) =>
      guard(`experiment "${name}"`, async () => {
        const experiments = createTargetExperiments({ root, staging, findings: options.findings }, false);
        return (await experiments.open(newExperiment(name), name)).experiment_id;
      }),
    models: fileStoreModelManager({ root, staging, experimentDir, guard }),
    mover,
    async close() {
      await reader.close();
      await staging.close();
    },
  };
}
