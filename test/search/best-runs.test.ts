import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createBestRuns } from '../../src/search/best-runs.ts';
import { compareRuns } from '../../src/search/compare-runs.ts';
import { parseOrderBy } from '../../src/search/parse-order-by.ts';
import { aRun } from './runs-and-expressions.ts';

const anOrder = fc
  .subarray(['metrics.a DESC', 'params.b', 'start_time', 'tags.`b c` DESC', 'run_id DESC'], { minLength: 1 })
  .map((texts) => texts.map((text) => parseOrderBy(text)));

describe('createBestRuns', () => {
  test('keeps the runs that stand first when all are sorted, by experiment, in the order of readers', async () => {
    await fc.assert(
      fc.asyncProperty(anOrder, fc.nat(5), fc.array(aRun, { maxLength: 12 }), async (order, more, made) => {
        const most = more + 1;
        const all = (await Promise.all(made)).map(({ run }) => run);
        const runs = [...new Map(all.map((run) => [run.run_id, run])).values()];
        const best = createBestRuns(order, most);
        for (const run of runs) best.offer(run);
        const first = runs.toSorted(compareRuns(order)).slice(0, most);
        const ids = [...best.ids().values()].flat();
        expect(ids.toSorted()).toEqual(first.map(({ run_id }) => run_id).toSorted());
        for (const [experiment_id, own] of best.ids())
          for (const id of own)
            expect(runs.find(({ run_id }) => run_id === id)?.experiment_id).toBe(experiment_id);
      }),
    );
  });
});
