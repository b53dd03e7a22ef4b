import { z } from 'zod';
import { fromDouble } from '../../../model/metric-value.ts';
import { compareLatest } from '../../../model/mlflow/latest-points.ts';
import type { Point, Run } from '../../../model/records.ts';
import type { StringMap } from '../../../model/string-map.ts';
import { insertInto, onConflict, placeholders } from '../connect/database.ts';
import { double, flag, integer } from '../read/cells.ts';
import { checkedRows, IDS } from '../read/store.ts';
import { LATEST, latestRow, newRunCells, runCells, textsOf } from './run-rows.ts';
import type { Target } from './target.ts';

/** Statements on a run, all of them in a transaction. The numbers are those of changed rows. */

/** Inserts the run's own row, or changes what differs in the one that is there. */
export async function writeRunRow({ database }: Target, run: Run, present: Run | undefined): Promise<number> {
  if (present === undefined) {
    const cells = newRunCells(run);
    const columns = cells.map(([column]) => column);
    const sql = insertInto({ table: 'runs', columns, key: ['run_uuid'] });
    return database.change(
      `${sql} VALUES (${placeholders(cells)})`,
      cells.map(([, cell]) => cell),
    );
  }
  const before = new Map(runCells(present));
  const changed = runCells(run).filter(([column, cell]) => before.get(column) !== cell);
  if (changed.length === 0) return 0;
  const sets = changed.map(([column]) => `"${column}" = ?`).join(', ');
  return database.change(`UPDATE "runs" SET ${sets} WHERE "run_uuid" = ?`, [
    ...changed.map(([, cell]) => cell),
    run.run_id,
  ]);
}

/** Sets tags. */
export async function setTags({ database }: Target, run_id: string, tags: StringMap): Promise<number> {
  const table = textsOf('tags');
  const sql = `${insertInto(table)} VALUES (?, ?, ?)${onConflict(table.key, ['value'])}`;
  let changes = 0;
  for (const [key, value] of Object.entries(tags))
    changes += await database.change(sql, [key, value, run_id]);
  return changes;
}

/** Removes tags. */
export async function removeTags(
  { database }: Target,
  run_id: string,
  keys: readonly string[],
): Promise<number> {
  if (keys.length === 0) return 0;
  return database.change(`DELETE FROM "tags" WHERE "run_uuid" = ? AND "key" IN (${placeholders(keys)})`, [
    run_id,
    ...keys,
  ]);
}

const latestValue = z.object({
  key: z.string(),
  value: double,
  timestamp: integer,
  step: integer,
  is_nan: flag,
});

/** Brings `latest_metrics` up to these points, where none is there that is later. */
export async function updateLatest(
  target: Target,
  run_id: string,
  latest: ReadonlyMap<string, Point>,
  isNew: boolean,
): Promise<void> {
  if (latest.size === 0) return;
  const { database, tables } = target;
  const there = new Map<string, Point>();
  if (!isNew) {
    const columns = tables.columns('latest_metrics', Object.keys(latestValue.shape));
    const sql = `SELECT ${columns} FROM "latest_metrics" WHERE "run_uuid" = ?`;
    for (const { key, step, timestamp, value, is_nan } of await checkedRows(target, latestValue, sql, [
      run_id,
    ]))
      there.set(key, [step, timestamp, is_nan ? 'NaN' : fromDouble(value)]);
  }
  const sql = `${insertInto(LATEST)} VALUES (${placeholders(LATEST.columns)})${onConflict(LATEST.key, ['value', 'timestamp', 'step', 'is_nan'])}`;
  for (const [key, point] of latest) {
    const present = there.get(key);
    if (present === undefined || compareLatest(point, present) > 0)
      await database.change(sql, latestRow(run_id, key, point));
  }
}

const countRow = z.object({ count: integer });

/** How many points a run has of these keys. */
export async function countPoints(target: Target, run_id: string, keys: readonly string[]): Promise<number> {
  let count = 0;
  for (let at = 0; at < keys.length; at += IDS) {
    const some = keys.slice(at, at + IDS);
    const sql = `SELECT count(*) AS "count" FROM "metrics" WHERE "run_uuid" = ? AND "key" IN (${placeholders(some)})`;
    const [row] = await checkedRows(target, countRow, sql, [run_id, ...some]);
    count += Number(row?.count ?? 0);
  }
  return count;
}
