import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_ACTIVE, globMatcher, selectsExperiment, selectsRun } from '../../src/model/selection.ts';
import { anyText } from '../places/arbitraries.ts';

describe('globMatcher', () => {
  it('matches any text by itself and by *', () => {
    fc.assert(
      fc.property(anyText, anyText, (a, b) => {
        if (!a.includes('*')) expect(globMatcher(a)(a)).toBe(true);
        expect(globMatcher('*')(a)).toBe(true);
        if (!`${a}${b}`.includes('*')) expect(globMatcher(`${a}*${b}`)(`${a}-${b}`)).toBe(true);
      }),
    );
  });

  it('takes everything but * literally', () => {
    expect(globMatcher('a.c')('abc')).toBe(false);
    expect(globMatcher('/Users/*')('/Shared/x')).toBe(false);
    expect(globMatcher('[a]')('a')).toBe(false);
  });
});

it('selects experiments by id, name, glob and view', () => {
  const active = { experiment_id: '7', name: '/a/b', lifecycle_stage: 'active' as const };
  const deleted = { ...active, lifecycle_stage: 'deleted' as const };
  expect(selectsExperiment(ALL_ACTIVE, active)).toBe(true);
  expect(selectsExperiment(ALL_ACTIVE, deleted)).toBe(false);
  expect(selectsExperiment({ ...ALL_ACTIVE, view: 'all' }, deleted)).toBe(true);
  for (const name of ['7', '/a/b', '/a/*']) {
    expect(selectsExperiment({ ...ALL_ACTIVE, experiments: [name] }, active)).toBe(true);
  }
  expect(selectsExperiment({ ...ALL_ACTIVE, experiments: ['/b/*', '8'] }, active)).toBe(false);
});

it('selects runs by id and view', () => {
  const run = { run_id: 'r', lifecycle_stage: 'active' as const };
  expect(selectsRun(ALL_ACTIVE, run)).toBe(true);
  expect(selectsRun({ ...ALL_ACTIVE, view: 'deleted' }, run)).toBe(false);
  expect(selectsRun({ ...ALL_ACTIVE, runs: ['s'] }, run)).toBe(false);
  expect(selectsRun({ ...ALL_ACTIVE, runs: ['s', 'r'] }, run)).toBe(true);
});
