import { DELETED_TIME_TAG } from '../../../model/canonical.ts';
import { fits, isKeyAllowed, limitsOf } from '../../../model/mlflow/limits.ts';
import { MlferryError } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { Manager } from '../../manager.ts';
import type { PlaceOptions } from '../../place-options.ts';
import type { RunKey } from '../../run-mover.ts';
import type { TagChanges } from '../../tag-changes.ts';
import { canRestore } from '../connect/can-restore.ts';
import { connect } from '../connect/client.ts';
import type { ServerLocation } from '../location.ts';
import { serverReader } from '../read/reader.ts';
import { targetRoutes, unlessMissing } from '../write/target-routes.ts';
import { createChildren } from './children.ts';
import { databricksBulk } from './databricks-bulk.ts';
import { serverModelManager } from './model-manager.ts';

/** Tags in one log-batch. */
const BATCH = 100;

/** Opens a tracking server for changes of its runs and experiments. Throws as {@link connect} does. */
export async function openServerManager(place: ServerLocation, options: PlaceOptions): Promise<Manager> {
  const client = await connect(place, options);
  const routes = targetRoutes(client, false);
  const limits = limitsOf(client.server.version);
  const reader = serverReader(client, options);

  const mustFit = (tags: TagChanges, most: number) => {
    for (const [key, value] of Object.entries(tags)) {
      if (value === null) continue;
      if (!isKeyAllowed(key, limits))
        throw new MlferryError('REFUSED', `The server takes no tag of the key ${JSON.stringify(key)}`);
      // MLflow would cut it and say nothing.
      if (!fits(value, most))
        throw new MlferryError(
          'REFUSED',
          `The value of the tag "${key}" has more than ${most} characters, which the server cannot hold`,
        );
    }
  };

  async function setTags({ run_id }: RunKey, tags: TagChanges): Promise<void> {
    mustFit(tags, limits.tag);
    const set = Object.entries(tags).flatMap(([key, value]) => (value === null ? [] : [{ key, value }]));
    for (let at = 0; at < set.length; at += BATCH) {
      const batch = { metrics: [], params: [], tags: set.slice(at, at + BATCH) };
      await routes.logBatch(run_id, batch, true);
    }
    for (const [key, value] of Object.entries(tags)) {
      if (value === null) await unlessMissing(routes.deleteTag(run_id, key));
    }
  }

  let restores: Promise<boolean> | undefined;
  /** What is deleted here can be restored by mlferry: nothing is deleted for good. */
  const mustDeleteSoftly = async () => {
    restores ??= canRestore(client);
    if (await restores) return;
    throw new MlferryError('UNSUPPORTED', `${client.location} deletes for good`, {
      hint: 'mlferry deletes only what can be restored. Delete it on the server itself, if you mean it.',
    });
  };

  return {
    reader,
    children: createChildren(client, routes, options.concurrency),
    mustDeleteSoftly,
    ...(client.server.databricks ? { mustCopyWhole: refuseCopies } : {}),
    async deleteRun(run, time) {
      await mustDeleteSoftly();
      await setTags(run, { [DELETED_TIME_TAG]: String(time) });
      try {
        await routes.deleteRun(run.run_id);
      } catch (error) {
        // Not deleted, or its answer lost: then the tag cannot be removed either.
        await routes.deleteTag(run.run_id, DELETED_TIME_TAG).catch(() => undefined);
        throw error;
      }
    },
    async restoreRun(run) {
      await routes.restoreRun(run.run_id);
      await unlessMissing(routes.deleteTag(run.run_id, DELETED_TIME_TAG));
    },
    setTags,
    renameRun: ({ run_id }, run_name) => routes.updateRun(run_id, { run_name }),
    // Of an experiment in that stage already the server says that there is none.
    async deleteExperiment(experiment_id) {
      await mustDeleteSoftly();
      await unlessMissing(routes.deleteExperiment(experiment_id));
    },
    async restoreExperiment(experiment_id, deleted) {
      await unlessMissing(routes.restoreExperiment(experiment_id));
      // The server has revived them all. Their tag tells the first deletion, so it stays as it is.
      await mapConcurrent(deleted, options.concurrency, (run_id) => routes.deleteRun(run_id));
    },
    async setExperimentTags(experiment_id, tags) {
      mustFit(tags, limits.experimentTag);
      for (const [key, value] of Object.entries(tags)) {
        if (value !== null) await routes.setExperimentTag(experiment_id, key, value);
        else await removeExperimentTag(experiment_id, key);
      }
    },
    renameExperiment: (experiment_id, name) => routes.renameExperiment(experiment_id, name),
    createExperiment: (name) => routes.createExperiment(name, {}),
    models: serverModelManager(client, routes, options.signal),
    ...(client.server.databricks ? { bulk: databricksBulk(client) } : {}),
    close: () => reader.close(),
  };

  /** MLflow before 3.0 cannot remove an experiment's tag: it becomes empty there. */
  async function removeExperimentTag(experiment_id: string, key: string): Promise<void> {
    try {
      await unlessMissing(routes.deleteExperimentTag(experiment_id, key));
    } catch (error) {
      if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
      await routes.setExperimentTag(experiment_id, key, '');
    }
  }
}

/** Databricks keeps files of runs where MLflow’s REST does not reach, and takes neither a user nor some of MLflow’s tags. */
function refuseCopies(): never {
  throw new MlferryError('UNSUPPORTED', 'On Databricks no copy of a run is all of it', {
    hint: 'mlferry cannot read the files of its runs, the user is that of the token, and tags like mlflow.rootRunId are refused. Nothing was copied or deleted; mlferry copy --into brings what can be copied and leaves the original.',
  });
}
