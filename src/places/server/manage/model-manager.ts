import { MODEL } from '../../../kinds/model-links.ts';
import { REGISTERED_MODEL, VERSION, versionKey } from '../../../kinds/model-registry.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { Deletion, ModelManager } from '../../model-manager.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { type TargetRoutes, unlessMissing } from '../write/target-routes.ts';
import { remakeRegisteredModel } from './remake-registered-model.ts';

/** What MLflow's stores keep of what is deleted (mlflow/store/model_registry/sqlalchemy_store.py, mlflow/store/tracking/sqlalchemy_store.py of 3.17). */
const DELETIONS: ReadonlyMap<string, Deletion> = new Map([
  [
    REGISTERED_MODEL.kind,
    {
      forGood: true,
      undo: 'partly',
      words:
        'registered models are deleted for good: undoing makes them again with their versions and numbers, but times, users and statuses are then the server’s own',
    },
  ],
  [
    VERSION.kind,
    {
      forGood: true,
      undo: 'none',
      words:
        'model versions are deleted for good: a server never gives a number again, so nothing brings them back',
    },
  ],
  [
    MODEL,
    {
      forGood: true,
      undo: 'none',
      words: 'logged models are deleted for good: no server has a way to restore one',
    },
  ],
]);

/** Registered models, versions and logged models of a server. */
export function serverModelManager(
  { backoff }: TrackingClient,
  routes: TargetRoutes,
  signal: AbortSignal,
): ModelManager {
  return {
    deletions: DELETIONS,
    async setTags({ kind, id }, tags) {
      const set = Object.entries(tags).flatMap(([key, value]) =>
        value === null ? [] : [[key, value] as const],
      );
      const removed = Object.keys(tags).filter((key) => tags[key] === null);
      if (kind === MODEL) {
        if (set.length > 0) await routes.setModelTags(id, Object.fromEntries(set));
        for (const key of removed) await unlessMissing(routes.deleteModelTag(id, key));
        return;
      }
      const version = kind === VERSION.kind ? versionKey(id) : undefined;
      for (const [key, value] of set)
        await (version === undefined
          ? routes.setRegisteredModelTag(id, key, value)
          : routes.setModelVersionTag(version, key, value));
      for (const key of removed)
        await unlessMissing(
          version === undefined
            ? routes.deleteRegisteredModelTag(id, key)
            : routes.deleteModelVersionTag(version, key),
        );
    },
    setAlias: (name, alias, version) =>
      version === null
        ? unlessMissing(routes.deleteAlias(name, alias))
        : routes.setAlias(name, alias, version),
    setStage: ({ id }, stage) => routes.transitionModelVersion(versionKey(id), stage),
    async delete({ kind, id }) {
      if (kind === MODEL) await unlessMissing(routes.deleteModel(id));
      else if (kind === VERSION.kind) await deleteVersion(routes, id);
      else await unlessMissing(routes.deleteRegisteredModel(id));
    },
    async remake({ kind }, kept) {
      if (kind !== REGISTERED_MODEL.kind)
        throw new MlferryError('UNSUPPORTED', 'No server brings it back once it is deleted');
      await remakeRegisteredModel({ routes, backoff, signal }, kept);
    },
  };
}

/** Its aliases go first: older servers leave them behind, pointing at nothing. */
async function deleteVersion(routes: TargetRoutes, id: string): Promise<void> {
  const { name, version } = versionKey(id);
  for (const [alias, holder] of await routes.aliasesOf(name))
    if (holder === version) await unlessMissing(routes.deleteAlias(name, alias));
  await unlessMissing(routes.deleteModelVersion({ name, version }));
}
