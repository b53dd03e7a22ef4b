import { type Int64, toInt64 } from '../../../model/int64.ts';
import { buildPoints, type PointsBuilder } from '../../../model/points.ts';
import { MAX_POINTS } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { MetricPoints } from '../../place.ts';
import { placeholders } from '../connect/database.ts';
import { IDS, type Store } from './store.ts';

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
  const odd = (keys ?? known).some((key) => SORTED_OTHERWISE.test(key));
  if (!odd && (keys?.length ?? 0) <= IDS) {
    yield* pointsOf(store, run_id, keys);
    return;
  }
  for (const key of [...new Set(keys ?? known)].sort()) yield* pointsOf(store, run_id, [key]);
}

async function* pointsOf(
  { database, tables }: Store,
  run_id: string,
  keys: readonly string[] | undefined,
): AsyncGenerator<MetricPoints> {
  if (keys?.length === 0) return;
  const { dialect } = database;
  const key = dialect.bytes('"key"');
  const sql =
    `SELECT "key", ${tables.columns('metrics', ['step', 'timestamp'])}, CASE WHEN "is_nan" THEN NULL ELSE "value" END` +
    ' FROM "metrics" WHERE "run_uuid" = ?' +
    (keys === undefined ? '' : ` AND ${key} IN (${placeholders(keys)})`) +
    ` ORDER BY ${key}, "metrics"."timestamp", "metrics"."step", "value"`;
  let current: { readonly key: string; readonly points: PointsBuilder } | undefined;
  for await (const rows of database.stream(sql, [run_id, ...(keys ?? [])])) {
    for (const [own, step, timestamp, value] of rows) {
      if (typeof own !== 'string') throw damaged(run_id);
      if (current !== undefined && (current.key !== own || current.points.length === MAX_POINTS)) {
        yield current;
        current = undefined;
      }
      current ??= { key: own, points: buildPoints() };
      current.points.push(integerOf(step, run_id), integerOf(timestamp, run_id), doubleOf(value, run_id));
    }
  }
  if (current !== undefined) yield current;
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
