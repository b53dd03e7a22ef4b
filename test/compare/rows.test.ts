import { describe, expect, it } from 'vitest';
import { smoothed, surfaceOf } from '../../src/compare/page/curves.ts';
import { plainLabel } from '../../src/compare/page/plain-label.ts';
import { fromFragment, type State, toFragment } from '../../src/compare/page/state.ts';
import { rowsOf, shownRows } from '../../src/compare/rows.ts';
import { manyRuns } from './many-runs.ts';

const FIRST: State = {
  all: false,
  runsAs: 'columns',
  runsContaining: '',
  namesContaining: '',
  sort: '',
  descending: false,
  theme: 'system',
  axes: ['params.a'],
  color: 'metrics.loss',
  ranges: {},
  x: 'params.a',
  y: 'metrics.loss',
  contourX: 'params.a',
  contourY: 'params.b',
  contourZ: 'metrics.loss',
  keys: ['loss'],
  over: 'step',
  smoothing: 0,
  log: false,
  boxOf: 'metrics.loss',
  groupBy: 'status',
};

describe('the rows of a comparison', () => {
  it('say what differs; of one run all are shown', () => {
    const comparison = manyRuns(5);
    const names = shownRows(rowsOf(comparison), false, 5).map(({ name }) => name);
    expect(names).toContain('learning_rate');
    expect(names).not.toContain('batch_size');
    expect(names).not.toContain('constant');
    expect(shownRows(rowsOf(manyRuns(1)), false, 1).map(({ name }) => name)).toContain('batch_size');
  });

  it('mark all runs with the best value, and none where there is no value', () => {
    const { runs, ...rest } = manyRuns(3);
    const last = ['NaN', 2, 2] as const;
    const made = runs.map((run, index) => ({
      ...run,
      metrics: { loss: { last: last[index] ?? 'NaN', step: 0 } },
    }));
    const best = (direction: 'ASC' | 'DESC', of: typeof made) =>
      rowsOf({ ...rest, runs: of, best: { metric: 'loss', direction } }).find(({ name }) => name === 'loss')
        ?.best;
    expect(best('ASC', made)).toEqual([1, 2]);
    expect(best('DESC', made)).toEqual([1, 2]);
    expect(best('ASC', made.slice(0, 1))).toEqual([]);
  });
});

describe('what the page keeps in its address', () => {
  it('is what was changed, and comes back the same', () => {
    const state: State = {
      ...FIRST,
      all: true,
      runsContaining: 'a & b = c #',
      axes: ['params.a', 'metrics.x/y'],
      ranges: {
        'params.a': [
          [0, 1.5],
          [3, 4],
        ],
        'metrics.loss': [[-1, 2]],
      },
      smoothing: 0.5,
      over: 'relative',
    };
    expect(toFragment(FIRST, FIRST)).toBe('');
    expect(fromFragment(`#${toFragment(state, FIRST)}`, FIRST)).toEqual(state);
  });

  it('is as it was at first where it makes no sense', () => {
    const odd =
      '#all=7&axes={&runsAs=x&smoothing=2&ranges=[1]&over=&theme=blue&log="yes"&descending=null&keys=1';
    expect(fromFragment(odd, FIRST)).toEqual(FIRST);
  });
});

describe('curves', () => {
  it('are smoothed without a bias at their beginning, and not at all by 0', () => {
    expect(smoothed([1, 5, Number.NaN, 2], 0)).toEqual([1, 5, Number.NaN, 2]);
    const [first, second] = smoothed([4, 4, 4], 0.9);
    expect(first).toBeCloseTo(4);
    expect(second).toBeCloseTo(4);
  });

  it('a surface goes through its points and stays between them', () => {
    const { x, y, z } = surfaceOf(
      [
        [0, 0, 1],
        [1, 1, 3],
        [0, 1, 2],
        [1, 0, 2],
      ],
      11,
    );
    expect([x.length, y.length, z.length]).toEqual([11, 11, 11]);
    expect(z[0]?.[0]).toBeCloseTo(1, 1);
    expect(z[10]?.[10]).toBeCloseTo(3, 1);
    for (const value of z.flat()) expect(value >= 1 && value <= 3).toBe(true);
    expect(
      surfaceOf(
        [
          [1, 1, 1],
          [1, 1, 1],
        ],
        3,
      )
        .z.flat()
        .every(Number.isFinite),
    ).toBe(true);
  });

  it('labels are no markup for plotly', () => {
    expect(plainLabel('<a href="x">$x$ & y</a>')).toBe('&lt;a href="x"&gt;&#36;x&#36; &amp; y&lt;/a&gt;');
    expect(plainLabel('x'.repeat(50))).toHaveLength(40);
  });
});
