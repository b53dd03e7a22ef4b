import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import { compareRuns } from './compare-runs.ts';
import type { Order } from './expression.ts';

/** The first `most` of many runs in an order, of which only the values to sort by are kept. */
export interface BestRuns {
  offer(run: Run): void;
  /** Ids by experiment, in the order of readers: (start_time, run_id). */
  ids(): Map<string, string[]>;
}

/** Keeps at most `most` runs, however many are offered. */
export function createBestRuns(order: readonly Order[], most: number): BestRuns {
  const compare = compareRuns(order);
  const best: Run[] = [];
  return {
    offer(run) {
      const last = best.at(-1);
      if (last !== undefined && best.length >= most && compare(run, last) >= 0) return;
      best.splice(placeOf(run, best, compare), 0, slimRun(run, order));
      if (best.length > most) best.pop();
    },
    ids() {
      const byStart = best.toSorted(compareRuns([START_ASCENDING]));
      const groups = Map.groupBy(byStart, ({ experiment_id }) => experiment_id);
      return new Map([...groups].map(([id, runs]) => [id, runs.map(({ run_id }) => run_id)]));
    },
  };
}

const START_ASCENDING: Order = { subject: { entity: 'attribute', key: 'start_time' }, direction: 'ASC' };

function placeOf(run: Run, sorted: readonly Run[], compare: (a: Run, b: Run) => number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = sorted[middle];
    if (other !== undefined && compare(run, other) < 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The run without what the order does not look at. */
export function slimRun(run: Run, order: readonly Order[]): Run {
  const pick = <T>(map: Readonly<Record<string, T>>, entity: string) =>
    Object.fromEntries(
      order.flatMap(({ subject }) => {
        const value = subject.entity === entity ? ownValue(map, subject.key) : undefined;
        return value === undefined ? [] : [[subject.key, value] as const];
      }),
    );
  return {
    ...run,
    params: pick(run.params, 'param'),
    tags: pick(run.tags, 'tag'),
    latest_metrics: pick(run.latest_metrics, 'metric'),
    dataset_inputs: [],
  };
}
