import { z } from 'zod';
import { type Int64, toInt64 } from '../../../model/int64.ts';
import { buildPoints, type PointsBuilder } from '../../../model/points.ts';
import { MAX_POINTS } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { MetricPoints } from '../../place.ts';
import { placeholders } from '../connect/database.ts';
import { checkedRows, IDS, type Store } from './store.ts';

/**
 * Only beyond U+D7FF does the order of code units differ from that of UTF-8's bytes, in which databases sort. Records want the
 * first.
 */
const SORTED_OTHERWISE = /[\ud800-\uffff]/;

/**
 * The points of a run, keys in code-unit order, the points of a key by (timestamp, step, value) as servers tell them; with
 * `keys` those of some. `known`: the keys that the run's record tells. Throws SOURCE_ITEM for a row that MLflow did not write.
 */
export async function* readPoints(
  store: Store,
  run_id: string,
  known: readonly string[],
  keys?: readonly string[],
): AsyncGenerator<MetricPoints> {
  if (keys?.length === 0) return;
  if (!store.database.dialect.sortsBytes) {
    yield* regrouped(store, run_id, keys);
    return;
  }
  const odd = (keys ?? known).some((key) => SORTED_OTHERWISE.test(key));
  if (!odd && (keys?.length ?? 0) <= IDS) {
    yield* sorted(store, run_id, keys);
    return;
  }
  const each = new Set(keys ?? (await keysOf(store, run_id)));
  for (const key of [...each].sort()) yield* sorted(store, run_id, [key]);
}

const keyRow = z.object({ key: z.string() });

/** The keys of a run's points. */
async function keysOf(store: Store, run_id: string): Promise<string[]> {
  const sql = 'SELECT DISTINCT "key" FROM "metrics" WHERE "run_uuid" = ?';
  return (await checkedRows(store, keyRow, sql, [run_id])).map(({ key }) => key);
}

/** Points in the order of their keys' bytes. */
async function* sorted(
  store: Store,
  run_id: string,
  keys: readonly string[] | undefined,
): AsyncGenerator<MetricPoints> {
  let current: { readonly key: string; readonly points: PointsBuilder } | undefined;
  for await (const rows of pointRows(store, run_id, keys))
    for (const row of rows) {
      const key = keyOf(row, run_id);
      if (current !== undefined && (current.key !== key || current.points.length === MAX_POINTS)) {
        yield current;
        current = undefined;
      }
      current ??= { key, points: buildPoints() };
      addTo(current.points, row, run_id);
    }
  if (current !== undefined) yield current;
}

/** The same from an engine that gives them in an order of its own: put aside, and then given key by key. */
async function* regrouped(
  store: Store,
  run_id: string,
  keys: readonly string[] | undefined,
): AsyncGenerator<MetricPoints> {
  const kept = store.keepPoints();
  const wanted = keys === undefined ? undefined : new Set(keys);
  const series = new Map<
    string,
    { points: PointsBuilder; readonly sequence: ReturnType<typeof kept.sequence> }
  >();
  try {
    for await (const rows of pointRows(store, run_id, keys))
      for (const row of rows) {
        const key = keyOf(row, run_id);
        if (wanted?.has(key) === false) continue;
        const own = series.get(key) ?? { points: buildPoints(), sequence: kept.sequence() };
        series.set(key, own);
        addTo(own.points, row, run_id);
        if (own.points.length < MAX_POINTS) continue;
        await own.sequence.append(own.points);
        own.points = buildPoints();
      }
    for (const [key, { points, sequence }] of [...series].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for await (const piece of sequence.pieces()) yield { key, points: piece };
      if (points.length > 0) yield { key, points };
    }
  } finally {
    await kept.close();
  }
}

/** Key, step, timestamp and value. */
type PointRow = readonly unknown[];

function pointRows(
  { database, tables }: Store,
  run_id: string,
  keys: readonly string[] | undefined,
): AsyncIterable<readonly PointRow[]> {
  const { dialect } = database;
  const key = dialect.sortsBytes ? dialect.bytes('"key"') : '"key"';
  const few = keys !== undefined && keys.length <= IDS ? keys : undefined;
  const sql =
    `SELECT "key", ${tables.columns('metrics', ['step', 'timestamp'])}, CASE WHEN "is_nan" THEN NULL ELSE "value" END` +
    ' FROM "metrics" WHERE "run_uuid" = ?' +
    (few === undefined ? '' : ` AND ${key} IN (${placeholders(few)})`) +
    ` ORDER BY ${key}, "metrics"."timestamp", "metrics"."step", "metrics"."value", "metrics"."is_nan"`;
  return database.stream(sql, [run_id, ...(few ?? [])]);
}

function keyOf([key]: PointRow, run_id: string): string {
  if (typeof key === 'string') return key;
  throw damaged(run_id);
}

function addTo(points: PointsBuilder, [, step, timestamp, value]: PointRow, run_id: string): void {
  points.push(integerOf(step, run_id), integerOf(timestamp, run_id), doubleOf(value, run_id));
}

function integerOf(cell: unknown, run_id: string): Int64 {
  const integer =
    typeof cell === 'number' || typeof cell === 'string' || typeof cell === 'bigint'
      ? toInt64(cell)
      : undefined;
  if (integer === undefined) throw damaged(run_id);
  return integer;
}

function doubleOf(cell: unknown, run_id: string): number {
  if (typeof cell === 'number') return cell;
  if (cell === null) return Number.NaN;
  throw damaged(run_id);
}

function damaged(run_id: string): MlferryError {
  return new MlferryError('SOURCE_ITEM', `Run ${run_id} has a metric that MLflow did not write`);
}
