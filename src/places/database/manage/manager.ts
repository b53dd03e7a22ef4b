import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { DELETED_TIME_TAG } from '../../../model/canonical.ts';
import { PARENT_TAG, RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { asMlferryError, MlferryError } from '../../../util/errors.ts';
import type { ChildRun, Manager } from '../../manager.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { artifactsRootOf } from '../../reading/artifacts-root.ts';
import type { TagChanges } from '../../tag-changes.ts';
import { openChangeable } from '../connect/open-writable.ts';
import { KNOWN } from '../connect/revisions.ts';
import type { DatabaseLocation } from '../location.ts';
import { numericId, stage, text } from '../read/cells.ts';
import { readExperiments } from '../read/experiments.ts';
import { readerOf } from '../read/reader.ts';
import { checkedRows, IDS, inWorkspace } from '../read/store.ts';
import { artifactRoots } from '../write/artifact-roots.ts';
import { databaseLimits } from '../write/limits.ts';
import { createTargetExperiments } from '../write/target-experiments.ts';
import { createTransactions } from '../write/transactions.ts';
import { mustBeWritable } from '../write/writable.ts';
import { databaseModelManager } from './model-manager.ts';
import { createRunMover } from './run-mover.ts';
import { type Changeable, setPairs } from './set-pairs.ts';
import { setStage } from './set-stage.ts';

const childRow = z.object({
  run_uuid: z.string(),
  experiment_id: numericId,
  name: text,
  lifecycle_stage: stage,
  parent: z.string(),
});

const runRow = z.object({ run_uuid: z.string(), lifecycle_stage: stage });

/** New experiments have only a name. */
const NEW = { kind: 'experiment', artifact_location: '', lifecycle_stage: 'active', tags: {} } as const;

/**
 * Opens MLflow's database (1.12 to 3.17) for changes of its runs, experiments and models, beside servers that run on it, as MLflow's own
 * store makes them: what is deleted stays with its time. Every change is one transaction. Throws as the reader does, and UNSUPPORTED
 * in the middle of an upgrade.
 */
export async function openDatabaseManager(place: DatabaseLocation, options: PlaceOptions): Promise<Manager> {
  const database = await openChangeable(place, options);
  const { reader, store } = await readerOf(database, place, options);
  const { tables, workspace } = store;
  const transactions = createTransactions(database);
  const limits = databaseLimits(store);
  const rows: Changeable = { database, tables, limits };
  let known: Promise<Map<string, ChildRun[]>> | undefined;
  try {
    await mustBeWritable(database, place, [...KNOWN][0]);
  } catch (error) {
    await reader.close();
    throw error;
  }

  /** A change, of which all or nothing is done. */
  const change = async <T>(object: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await transactions.run(1, work);
    } catch (error) {
      throw asMlferryError(error, 'BUG', object);
    }
  };

  const mustBeThere = async (table: 'runs' | 'experiments', key: string, id: string) => {
    const sql = `SELECT "${key}" FROM "${table}" WHERE "${key}" = ?`;
    if ((await database.rows(sql, [id])).length > 0) return;
    throw new MlferryError('NOT_FOUND', `${place.name} has no such row in ${table}: ${id}`);
  };

  const changeRun = (run_id: string, work: () => Promise<void>) =>
    change(`run ${run_id}`, async () => {
      await mustBeThere('runs', 'run_uuid', run_id);
      await work();
    });

  const changeExperiment = (experiment_id: string, work: () => Promise<void>) =>
    change(`experiment ${experiment_id}`, async () => {
      await mustBeThere('experiments', 'experiment_id', experiment_id);
      await work();
    });

  const setRunTags = async (run_id: string, tags: TagChanges) => {
    await setPairs(rows, { table: 'tags', own: { run_uuid: run_id } }, tags);
    const name = tags[RUN_NAME_TAG];
    // MLflow has the two be one.
    if (typeof name === 'string' && name !== '' && tables.has('runs', 'name')) await nameRun(run_id, name);
  };

  const mustFit = (name: string, table: 'runs' | 'experiments') => {
    if ([...name].length <= tables.length(table, 'name')) return;
    throw new MlferryError('REFUSED', `The name is too long for the database: ${name.slice(0, 100)}`);
  };

  const nameRun = async (run_id: string, name: string) => {
    mustFit(name, 'runs');
    await database.change('UPDATE "runs" SET "name" = ? WHERE "run_uuid" = ?', [name, run_id]);
  };

  /** Sets columns of an experiment, and that they were, where this version of MLflow notes it. */
  const updateExperiment = async (experiment_id: string, column: string, value: string, time: number) => {
    const isTimed = tables.has('experiments', 'last_update_time');
    await database.change(
      `UPDATE "experiments" SET "${column}" = ?${isTimed ? ', "last_update_time" = ?' : ''} WHERE "experiment_id" = ?`,
      [value, ...(isTimed ? [time] : []), experiment_id],
    );
  };

  const runsOf = (experiment_id: string) => {
    const columns = tables.columns('runs', Object.keys(runRow.shape));
    const sql = `SELECT ${columns} FROM "runs" WHERE "experiment_id" = ?`;
    return checkedRows(store, runRow, sql, [experiment_id]);
  };

  const setStages = async (ids: readonly string[], time: number | null) => {
    for (let at = 0; at < ids.length; at += IDS) await setStage(rows, ids.slice(at, at + IDS), time);
  };

  const listChildren = async () => {
    const { where, parameters } = inWorkspace(store, 'experiments');
    const columns = tables.columns('runs', ['run_uuid', 'experiment_id', 'name', 'lifecycle_stage']);
    const found = await checkedRows(
      store,
      childRow,
      `SELECT ${columns}, "tags"."value" AS "parent" FROM "tags"` +
        ' JOIN "runs" ON "runs"."run_uuid" = "tags"."run_uuid"' +
        ' JOIN "experiments" ON "experiments"."experiment_id" = "runs"."experiment_id"' +
        ` WHERE "tags"."key" = '${PARENT_TAG}' AND ${where}`,
      parameters,
    );
    const children = found.map(({ run_uuid, name, ...run }) => ({
      run_id: run_uuid,
      run_name: name,
      ...run,
    }));
    return Map.groupBy(children, ({ parent }) => parent);
  };

  const makeExperiment = async (name: string): Promise<string> => {
    const base = place.dialect === 'sqlite' ? dirname(resolve(place.path)) : undefined;
    const experiments = await readExperiments(store);
    const roots = artifactRoots({
      base,
      artifactsRoot: await artifactsRootOf(options),
      workspace,
      experiments,
    });
    const { findings } = options;
    const target = { database, transactions, tables, workspace, limits, findings, roots, dryRun: false };
    const made = await createTargetExperiments(target, experiments).open(
      { ...NEW, experiment_id: '', name },
      name,
    );
    return made.experiment_id;
  };

  return {
    reader,
    async children(parents) {
      known ??= listChildren();
      const all = await known;
      return parents.flatMap((id) => all.get(id) ?? []);
    },
    deleteRun: ({ run_id }, time) => changeRun(run_id, () => setStage(rows, [run_id], time)),
    restoreRun: ({ run_id }) =>
      changeRun(run_id, async () => {
        await setStage(rows, [run_id], null);
        // Of a deletion through a server on this database.
        await setRunTags(run_id, { [DELETED_TIME_TAG]: null });
      }),
    setTags: ({ run_id }, tags) => changeRun(run_id, () => setRunTags(run_id, tags)),
    renameRun: ({ run_id }, run_name) =>
      changeRun(run_id, () => setRunTags(run_id, { [RUN_NAME_TAG]: run_name })),
    deleteExperiment: (experiment_id) =>
      changeExperiment(experiment_id, async () => {
        const now = Date.now();
        await updateExperiment(experiment_id, 'lifecycle_stage', 'deleted', now);
        const active = (await runsOf(experiment_id)).filter((run) => run.lifecycle_stage === 'active');
        await setStages(
          active.map(({ run_uuid }) => run_uuid),
          now,
        );
      }),
    restoreExperiment: (experiment_id, deleted) =>
      changeExperiment(experiment_id, async () => {
        const now = Date.now();
        await updateExperiment(experiment_id, 'lifecycle_stage', 'active', now);
        const stay = new Set(deleted);
        const wrong = (await runsOf(experiment_id)).filter(
          ({ run_uuid, lifecycle_stage }) => stay.has(run_uuid) !== (lifecycle_stage === 'deleted'),
        );
        for (const [isDeleted, runs] of Map.groupBy(wrong, ({ run_uuid }) => stay.has(run_uuid)))
          await setStages(
            runs.map(({ run_uuid }) => run_uuid),
            isDeleted ? now : null,
          );
      }),
    setExperimentTags: (experiment_id, tags) =>
      changeExperiment(experiment_id, () =>
        setPairs(rows, { table: 'experiment_tags', own: { experiment_id } }, tags),
      ),
    renameExperiment: (experiment_id, name) =>
      changeExperiment(experiment_id, async () => {
        mustFit(name, 'experiments');
        await updateExperiment(experiment_id, 'name', name, Date.now());
      }),
    createExperiment: (name) => makeExperiment(name),
    models: databaseModelManager({ ...rows, workspace, change }),
    mover: createRunMover({ ...rows, store, change }),
    async close() {
      await transactions.settled();
      await reader.close();
    },
  };
}
