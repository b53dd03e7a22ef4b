import { toJson } from '../model/json.ts';
import { type Run, run as runRecord } from '../model/records.ts';
import { slimRun } from '../search/best-runs.ts';
import { compareRuns } from '../search/compare-runs.ts';
import type { Order } from '../search/expression.ts';
import { createByteSpool } from '../util/byte-spool.ts';

/** A run with the name of its experiment. */
export interface ListedRun extends Run {
  readonly experiment_name: string;
}

/**
 * Runs in an order. Only the values to sort by are kept in memory; the runs themselves wait in a spool file in `tempDir`.
 */
export async function* sortedRuns(
  runs: AsyncIterable<ListedRun>,
  order: readonly Order[],
  tempDir: string,
): AsyncGenerator<ListedRun> {
  const spool = createByteSpool(tempDir);
  const compare = compareRuns(order);
  const entries: Array<{ run: Run; experiment_name: string; start: number; end: number }> = [];
  try {
    for await (const { experiment_name, ...run } of runs) {
      const start = spool.length();
      await spool.append(Buffer.from(toJson(run)));
      entries.push({ run: slimRun(run, order), experiment_name, start, end: spool.length() });
    }
    entries.sort((a, b) => compare(a.run, b.run));
    for (const { start, end, experiment_name } of entries) {
      const pieces: Buffer[] = [];
      for await (const piece of spool.read(start, end)) pieces.push(Buffer.from(piece));
      const run = runRecord.parse(JSON.parse(Buffer.concat(pieces).toString()));
      yield { ...run, experiment_name };
    }
  } finally {
    await spool.remove();
  }
}
