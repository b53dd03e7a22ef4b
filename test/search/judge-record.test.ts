import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { judgeRecord } from '../../src/search/judge-record.ts';
import { makeRun } from '../places/memory-workspace.ts';
import { anExpression, aRun, fits, parsed } from './runs-and-expressions.ts';

describe('judgeRecord', () => {
  test('never says other than the histories do', async () => {
    let undecided = 0;
    await fc.assert(
      fc.asyncProperty(anExpression, aRun, async (expression, made) => {
        const run = await made;
        const verdict = judgeRecord(expression, run.run);
        if (verdict === undefined) undecided += 1;
        else expect(verdict, JSON.stringify(expression)).toBe(fits(expression, run));
      }),
      { numRuns: 5000 },
    );
    expect(undecided).toBeGreaterThan(0);
  });

  test('asks for no history that cannot change the answer', async () => {
    const { run } = await makeRun({}, [
      [
        'loss',
        [
          [0, 0, 3],
          [1, 1, 2],
        ],
      ],
    ]);
    const judged = (text: string) => judgeRecord(parsed(text), run);
    expect(judged('MIN(metrics.loss) <= 2')).toBe(true);
    expect(judged('MAX(metrics.loss) < 2')).toBe(false);
    expect(judged('MIN(metrics.loss) < 2')).toBeUndefined();
    expect(judged('MIN(metrics.other) < 2')).toBe(false);
    expect(judged("MIN(metrics.loss) < 2 AND params.p = 'x'")).toBe(false);
    expect(judged("MIN(metrics.loss) < 2 OR status = 'FINISHED'")).toBe(true);
    expect(judged('COUNT(metrics.other) = 0')).toBe(true);
    expect(judged('MIN(metrics.loss) IS NULL')).toBe(false);
  });
});
