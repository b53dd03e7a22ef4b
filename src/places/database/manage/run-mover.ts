import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { SOURCE_RUN } from '../../../model/mlflow/trace-fields.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { RunKey, RunMover } from '../../run-mover.ts';
import { placeholders } from '../connect/database.ts';
import { numericId } from '../read/cells.ts';
import { findRuns } from '../read/runs.ts';
import { checkedRows, IDS, inWorkspace, type Store } from '../read/store.ts';
import { type Changeable, equal, insertRow } from './set-pairs.ts';

/** What a mover needs of the manager that it belongs to. */
interface MoverContext extends Changeable {
  readonly store: Store;
  /** A change, of which all or nothing is done. */
  change<T>(object: string, work: () => Promise<T>): Promise<T>;
}

/** What belongs to a run and lives in its experiment: which column names the run, and the tables that name the experiment, by its id. */
const BELONGINGS = [
  {
    run: `SELECT "model_id" AS "id", "source_run_id" AS "run_id" FROM "logged_models" WHERE "source_run_id" IS NOT NULL`,
    key: 'model_id',
    tables: ['logged_models', 'logged_model_metrics', 'logged_model_params', 'logged_model_tags'],
  },
  {
    run: `SELECT "request_id" AS "id", "value" AS "run_id" FROM "trace_request_metadata" WHERE "key" = '${SOURCE_RUN}'`,
    key: 'request_id',
    tables: ['trace_info'],
  },
] as const;

/** Further tables of traces. */
const OF_TRACES = ['spans', 'assessments'] as const;

/** Daily sums of traces that MLflow 3.17 may keep, and how it calls each where they are to be made anew (store/db/trace_rollups.py). */
const ROLLUPS = [
  ['sql_trace_metric_daily_rollups', 'trace_metric'],
  ['sql_span_cost_daily_rollups', 'span_cost'],
  ['sql_assessment_daily_rollups', 'assessment'],
] as const;
const REBUILDS = 'sql_trace_rollup_rebuild_queue';

const belongingRow = z.object({ id: z.string(), run_id: z.string() });
const inputRow = z.object({ input_uuid: z.string(), dataset_uuid: z.string() });
const datasetRow = z.object({
  name: z.string(),
  digest: z.string(),
  dataset_source_type: z.string(),
  dataset_source: z.string(),
  dataset_schema: z.string().nullable(),
  dataset_profile: z.string().nullable(),
});
const uuidRow = datasetRow.extend({ dataset_uuid: z.string() });

/** Moves runs between experiments of a database: ids, artifact roots and all that names a run stay. Each is one transaction. */
export function createRunMover({ store, change, ...rows }: MoverContext): RunMover {
  const { database, tables } = rows;
  const byRun = new Map<string, Promise<Map<string, string[]>>>();

  /** Ids of what belongs to a run; all of them are looked up once, no column of them is indexed by the run. */
  const belongings = async ({ run, tables: [table] }: (typeof BELONGINGS)[number], run_id: string) => {
    if (!tables.has(table)) return [];
    const known = byRun.get(table) ?? readBelongings(run);
    byRun.set(table, known);
    return (await known).get(run_id) ?? [];
  };
  const readBelongings = async (sql: string) => {
    const found = Map.groupBy(await checkedRows(store, belongingRow, sql), (row) => row.run_id);
    return new Map([...found].map(([run_id, own]) => [run_id, own.map(({ id }) => id)]));
  };

  const give = async (table: string, key: string, ids: readonly string[], to: string) => {
    if (!tables.has(table, 'experiment_id')) return;
    for (let at = 0; at < ids.length; at += IDS) {
      const some = ids.slice(at, at + IDS);
      const sql = `UPDATE "${table}" SET "experiment_id" = ? WHERE "${key}" IN (${placeholders(some)})`;
      await database.change(sql, [to, ...some]);
    }
  };

  /** Has the run read the datasets of the other experiment, which gets those that it lacks: they go with their experiment. */
  const giveDatasets = async (run_id: string, to: string) => {
    if (!tables.has('inputs')) return;
    const inputs = await checkedRows(
      store,
      inputRow,
      'SELECT "inputs"."input_uuid", "datasets"."dataset_uuid" FROM "inputs"' +
        ' JOIN "datasets" ON "datasets"."dataset_uuid" = "inputs"."source_id"' +
        ` WHERE "inputs"."source_type" = 'DATASET' AND "inputs"."destination_type" = 'RUN'` +
        ' AND "inputs"."destination_id" = ? AND "datasets"."experiment_id" <> ?',
      [run_id, to],
    );
    const columns = Object.keys(datasetRow.shape)
      .map((name) => `"${name}"`)
      .join(', ');
    for (const { input_uuid, dataset_uuid } of inputs) {
      const [own] = await checkedRows(
        store,
        datasetRow,
        `SELECT ${columns} FROM "datasets" WHERE "dataset_uuid" = ?`,
        [dataset_uuid],
      );
      if (own === undefined) continue;
      const key = { experiment_id: to, name: own.name, digest: own.digest };
      const [there] = await checkedRows(
        store,
        uuidRow,
        `SELECT ${columns}, "dataset_uuid" FROM "datasets" WHERE ${equal(key)}`,
        Object.values(key),
      );
      if (there !== undefined && !isDeepStrictEqual({ ...own, dataset_uuid: there.dataset_uuid }, there))
        throw new MlferryError(
          'REFUSED',
          `The run read a dataset "${own.name}" (${own.digest}), and the other experiment has another one of this name and digest`,
          { hint: 'An experiment holds one of them: choose another experiment.' },
        );
      const uuid = there?.dataset_uuid ?? randomUUID().replaceAll('-', '');
      if (there === undefined)
        await insertRow(rows, 'datasets', { ...own, experiment_id: to, dataset_uuid: uuid });
      await database.change('UPDATE "inputs" SET "source_id" = ? WHERE "input_uuid" = ?', [uuid, input_uuid]);
    }
  };

  /** Has MLflow make its daily sums of both experiments anew, where it keeps any. */
  const rebuild = async (experiments: readonly string[]) => {
    if (!tables.has(REBUILDS)) return;
    for (const [table, family] of ROLLUPS)
      await database.change(
        `INSERT INTO "${REBUILDS}" ("experiment_id", "rollup_day", "rollup_family")` +
          ` SELECT DISTINCT "experiment_id", "rollup_day", '${family}' FROM "${table}" AS "sums"` +
          ` WHERE "experiment_id" IN (${placeholders(experiments)}) AND NOT EXISTS (SELECT 1 FROM "${REBUILDS}" AS "known"` +
          ` WHERE "known"."experiment_id" = "sums"."experiment_id" AND "known"."rollup_day" = "sums"."rollup_day"` +
          ` AND "known"."rollup_family" = '${family}')`,
        experiments,
      );
  };

  const move = async (run_id: string, to: string) => {
    const [run] = await findRuns(store, [run_id]);
    if (run === undefined) throw new MlferryError('NOT_FOUND', `The database has no run ${run_id}`);
    if (run.experiment_id === to) return;
    await giveDatasets(run_id, to);
    await give('runs', 'run_uuid', [run_id], to);
    for (const belonging of BELONGINGS) {
      const ids = await belongings(belonging, run_id);
      for (const table of belonging.tables) await give(table, belonging.key, ids, to);
      if (belonging.key !== 'request_id' || ids.length === 0) continue;
      for (const table of OF_TRACES) await give(table, 'trace_id', ids, to);
      await rebuild([run.experiment_id, to]);
    }
  };

  return {
    async find(run_ids) {
      const found = await findRuns(store, run_ids);
      const { where, parameters } = inWorkspace(store, 'experiments');
      const own = await checkedRows(
        store,
        z.object({ experiment_id: numericId }),
        `SELECT ${tables.columns('experiments', ['experiment_id'])} FROM "experiments" WHERE ${where}`,
        parameters,
      );
      const ids = new Set(own.map(({ experiment_id }) => experiment_id));
      return found.flatMap(({ run_uuid, experiment_id }): RunKey[] =>
        ids.has(experiment_id) ? [{ run_id: run_uuid, experiment_id }] : [],
      );
    },
    // A move is one transaction: none is ever half done.
    unfinished: async () => [],
    isMisplaced: async () => false,
    move: ({ run_id }, to) => change(`run ${run_id}`, () => move(run_id, to)),
  };
}
