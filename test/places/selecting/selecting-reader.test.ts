import { describe, expect, it } from 'vitest';
import type { Failure } from '../../../src/model/findings.ts';
import { ALL_ACTIVE, type Selection, selectsRun } from '../../../src/model/selection.ts';
import { FILESTORE_TRAITS } from '../../../src/places/filestore/traits.ts';
import {
  type RunSource,
  type SourceRun,
  selectingReader,
} from '../../../src/places/selecting/selecting-reader.ts';
import { MlferryError } from '../../../src/util/errors.ts';
import { makeExperiment, makeRun, memoryRunReader } from '../memory-workspace.ts';

/** Five runs with a loss that begins at 9 and ends at 1 to 5; tells which histories were read and which runs reported. */
async function source(more: Partial<RunSource> = {}, brokenRun = -1) {
  const read: string[] = [];
  const reported: string[] = [];
  const made = await Promise.all(
    [0, 1, 2, 3, 4].map((n) =>
      makeRun({ run_id: `r${n}`, run_name: `run ${n}`, start_time: n }, [
        [
          'loss',
          [
            [0, 0, 9],
            [1, 1, n + 1],
          ],
        ],
        ['other', [[0, 0, 0]]],
      ]),
    ),
  );
  const readers = made.map((run, n): SourceRun => {
    const reader = memoryRunReader(run);
    return {
      ...reader,
      report: () => void reported.push(run.run.run_id),
      async *metrics() {
        read.push(run.run.run_id);
        if (n === brokenRun) throw new MlferryError('SHORT_BODY', 'the history breaks off');
        yield* reader.metrics();
      },
    };
  });
  const failures: Failure[] = [];
  const runSource: RunSource = {
    info: { kind: 'filestore', location: 'memory', fingerprint: 'f' },
    traits: FILESTORE_TRAITS,
    async *experiments() {
      yield makeExperiment();
    },
    async *runs(_, selection) {
      for (const reader of readers) if (selectsRun(selection, reader.run)) yield reader;
    },
    async *runsLike() {},
    close: async () => undefined,
    ...more,
  };
  const findings = { loss: () => undefined, failure: (failure: Failure) => void failures.push(failure) };
  const reader = selectingReader(runSource, { findings, concurrency: 2 });
  const ids = async (selection: Partial<Selection>) => {
    const wanted = { ...ALL_ACTIVE, ...selection };
    const found: string[] = [];
    for await (const experiment of reader.experiments(wanted))
      for await (const { run } of reader.runs(experiment, wanted)) found.push(run.run_id);
    return found;
  };
  return { ids, read, reported, failures, readers };
}

describe('selectingReader', () => {
  it('reads only the histories that the record does not replace', async () => {
    const { ids, read } = await source();
    expect(await ids({ filter: 'MAX(metrics.loss) > 3 AND metrics.loss > 1' })).toEqual([
      'r1',
      'r2',
      'r3',
      'r4',
    ]);
    // r0 fails the second condition; the latest value of r3 and r4 is above 3.
    expect(read.sort()).toEqual(['r1', 'r2']);
  });

  it('reports what cannot be carried of the selected runs only', async () => {
    const filtered = await source();
    await filtered.ids({ filter: 'metrics.loss > 4' });
    expect(filtered.reported).toEqual(['r4']);
    const best = await source();
    expect(await best.ids({ max_runs: 2 })).toEqual(['r3', 'r4']);
    expect(best.reported).toEqual(['r3', 'r4']);
  });

  it('lists a run whose history cannot be read as a failure, and goes on', async () => {
    const { ids, failures } = await source({}, 1);
    expect(await ids({ filter: 'FIRST(metrics.loss) = 9' })).toEqual(['r0', 'r2', 'r3', 'r4']);
    expect(failures).toMatchObject([{ code: 'SHORT_BODY', object: 'run r1' }]);
  });

  it('stops at the first so many of a source that sorts', async () => {
    let handedOut = 0;
    const all = (await source()).readers.toReversed();
    const { ids } = await source({
      together: async () => ({
        sorted: true,
        streams: [
          (async function* () {
            for (let again = 0; again < 1000; again += 1) {
              handedOut += 1;
              const reader = all[again % 5];
              if (reader !== undefined)
                yield {
                  source: { ...reader, run: { ...reader.run, run_id: `${again}` } },
                  recheck: undefined,
                };
            }
          })(),
        ],
      }),
    });
    await ids({ max_runs: 3 });
    expect(handedOut).toBeLessThanOrEqual(100);
  });

  it('refuses a wrong expression and a wrong count', async () => {
    const { ids } = await source();
    await expect(ids({ filter: 'loss >' })).rejects.toMatchObject({ code: 'EXPRESSION' });
    await expect(ids({ max_runs: 1, order_by: ['loss up'] })).rejects.toMatchObject({ code: 'EXPRESSION' });
    await expect(ids({ max_runs: 0.5 })).rejects.toMatchObject({ code: 'USAGE' });
  });
});
