import { z } from 'zod';
import { fromDouble } from '../../../model/metric-value.ts';
import {
  ENTRY_POINT_TAG,
  RUN_NAME_TAG,
  SOURCE_COMMIT_TAG,
  SOURCE_NAME_TAG,
} from '../../../model/mlflow/tags.ts';
import { type Experiment, type Point, type Run, runStatus } from '../../../model/records.ts';
import type { Selection } from '../../../model/selection.ts';
import { ownValue } from '../../../model/string-map.ts';
import { PIECE, placeholders } from '../connect/database.ts';
import { double, flag, integer, numericId, optionalInteger, optionalText, stage, text } from './cells.ts';
import type { Condition } from './filter-runs.ts';
import { readInputs } from './inputs.ts';
import { checkedRows, IDS, pairsOf, rowsOf, type Store } from './store.ts';

const COLUMNS = [
  ...['run_uuid', 'experiment_id', 'name', 'user_id', 'status', 'start_time', 'end_time', 'lifecycle_stage'],
  ...['deleted_time', 'artifact_uri', 'source_name', 'source_version', 'entry_point_name'],
];

const runRow = z.object({
  run_uuid: z.string().min(1),
  experiment_id: numericId,
  name: text,
  user_id: text,
  status: runStatus,
  start_time: optionalInteger,
  end_time: optionalInteger,
  lifecycle_stage: stage,
  deleted_time: optionalInteger,
  artifact_uri: text,
  source_name: optionalText,
  source_version: optionalText,
  entry_point_name: optionalText,
});
type RunRow = z.infer<typeof runRow>;

const latestRow = z.object({
  run_uuid: z.string(),
  key: z.string(),
  value: double,
  timestamp: integer,
  step: integer,
  is_nan: flag,
});

/** Runs whose further rows are read together. */
const TOGETHER = 100;

/**
 * The runs of an experiment that a selection names by id or by view, in the order (start_time, run_id), in lists. A row that
 * MLflow did not write is a failure. `condition`: only rows of which it holds.
 */
export async function* readRuns(
  store: Store,
  experiment: Pick<Experiment, 'experiment_id' | 'name'>,
  { runs, view }: Pick<Selection, 'runs' | 'view'>,
  condition?: Condition,
): AsyncGenerator<Run[]> {
  const { database, tables, fail } = store;
  const ids = new Set(runs);
  const asked = ids.size > 0 && ids.size <= IDS ? [...ids] : [];
  const conditions = [
    '"experiment_id" = ?',
    ...(view === 'all' ? [] : [`COALESCE("lifecycle_stage", 'active') = ?`]),
    ...(asked.length === 0 ? [] : [`"run_uuid" IN (${placeholders(asked)})`]),
    ...(condition === undefined ? [] : [`(${condition.sql})`]),
  ];
  const sql =
    `SELECT ${tables.columns('runs', COLUMNS)} FROM "runs" WHERE ${conditions.join(' AND ')}` +
    ` ORDER BY COALESCE("runs"."start_time", 0), ${database.dialect.bytes('"run_uuid"')}`;
  const parameters = [
    experiment.experiment_id,
    ...(view === 'all' ? [] : [view]),
    ...asked,
    ...(condition?.parameters ?? []),
  ];
  for await (const piece of database.stream(sql, parameters)) {
    const rows: RunRow[] = [];
    for (const values of piece) {
      const fields = Object.fromEntries(COLUMNS.map((name, at) => [name, values[at]]));
      const parsed = runRow.safeParse(fields);
      if (!parsed.success)
        fail(`run ${String(fields.run_uuid)} of experiment "${experiment.name}"`, parsed.error);
      else if (ids.size === 0 || ids.has(parsed.data.run_uuid)) rows.push(parsed.data);
    }
    for (let at = 0; at < rows.length; at += TOGETHER)
      yield await withData(store, rows.slice(at, at + TOGETHER));
  }
}

async function withData(store: Store, rows: readonly RunRow[]): Promise<Run[]> {
  const { tables } = store;
  const ids = rows.map(({ run_uuid }) => run_uuid);
  const paramsOf = await pairsOf(store, { table: 'params', own: 'run_uuid' }, ids);
  const tagsOf = await pairsOf(store, { table: 'tags', own: 'run_uuid' }, ids);
  const columns = tables.columns('latest_metrics', Object.keys(latestRow.shape));
  const latest = await rowsOf(
    store,
    latestRow,
    ids,
    (list) => `SELECT ${columns} FROM "latest_metrics" WHERE "run_uuid" IN ${list}`,
  );
  const latestByRun = Map.groupBy(latest, ({ run_uuid }) => run_uuid);
  const inputs = await readInputs(store, ids);
  return rows.map((row): Run => {
    const { run_uuid, name, start_time, end_time, deleted_time, lifecycle_stage } = row;
    // Columns of MLflow before 1.0, tags since.
    const legacy: ReadonlyArray<readonly [string, string | undefined]> = [
      [SOURCE_NAME_TAG, row.source_name],
      [SOURCE_COMMIT_TAG, row.source_version],
      [ENTRY_POINT_TAG, row.entry_point_name],
    ];
    const ownTags = {
      ...Object.fromEntries(legacy.flatMap(([key, value]) => (value === undefined ? [] : [[key, value]]))),
      ...tagsOf(run_uuid),
    };
    return {
      kind: 'run',
      run_id: run_uuid,
      experiment_id: row.experiment_id,
      run_name: name || (ownValue(ownTags, RUN_NAME_TAG) ?? ''),
      user_id: row.user_id,
      status: row.status,
      start_time: start_time ?? null,
      end_time: end_time ?? null,
      lifecycle_stage,
      ...(deleted_time === undefined || lifecycle_stage === 'active' ? {} : { deleted_time }),
      artifact_uri: row.artifact_uri,
      params: paramsOf(run_uuid),
      tags: ownTags,
      ...(inputs.get(run_uuid) ?? { dataset_inputs: [] }),
      latest_metrics: Object.fromEntries((latestByRun.get(run_uuid) ?? []).map(latestPoint)),
    };
  });
}

function latestPoint({ key, step, timestamp, value, is_nan }: z.infer<typeof latestRow>): [string, Point] {
  return [key, [step, timestamp, is_nan ? 'NaN' : fromDouble(value)]];
}

const namedRow = z.object({
  run_uuid: z.string(),
  experiment_id: numericId,
  lifecycle_stage: stage,
});

/** Which experiment and stage these runs have, of those that there are. */
export async function findRuns(store: Store, ids: readonly string[]) {
  const columns = store.tables.columns('runs', Object.keys(namedRow.shape));
  return rowsOf(
    store,
    namedRow,
    [...new Set(ids)],
    (list) => `SELECT ${columns} FROM "runs" WHERE "run_uuid" IN ${list}`,
  );
}

/** The runs whose ids begin with a text of hexadecimal digits: {@link PIECE} of them at most, which is more than one can choose from. */
export async function findRunsLike(store: Store, start: string) {
  const columns = store.tables.columns('runs', Object.keys(namedRow.shape));
  return checkedRows(
    store,
    namedRow,
    `SELECT ${columns} FROM "runs" WHERE "run_uuid" LIKE ? ORDER BY "run_uuid" LIMIT ${PIECE}`,
    [`${start}%`],
  );
}

const countRow = z.object({ count: integer });

/** How many runs of an experiment are not of this stage. */
export async function countOthers(store: Store, experiment_id: string, view: 'active' | 'deleted') {
  const [row] = await checkedRows(
    store,
    countRow,
    `SELECT count(*) AS "count" FROM "runs" WHERE "experiment_id" = ? AND COALESCE("lifecycle_stage", 'active') <> ?`,
    [experiment_id, view],
  );
  return Number(row?.count ?? 0);
}
