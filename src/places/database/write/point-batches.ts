import type { MetricPoints } from '../../place.ts';
import type { Cell } from '../connect/database.ts';
import { pointRows } from './run-rows.ts';

/** Points of one transaction, see transactions.ts. */
const TOGETHER = 20_000;

/**
 * A run's points as rows, in batches of one transaction. The last one, which may be empty, says so: with it a run becomes
 * complete.
 */
export async function* pointBatches(
  run_id: string,
  pieces: AsyncIterable<MetricPoints>,
): AsyncGenerator<{ readonly rows: readonly Cell[][]; readonly isLast: boolean }> {
  let rows: Cell[][] = [];
  for await (const { key, points } of pieces) {
    if (rows.length + points.length > TOGETHER && rows.length > 0) {
      yield { rows, isLast: false };
      rows = [];
    }
    rows.push(...pointRows(run_id, key, points));
  }
  yield { rows, isLast: true };
}
