import { describe, expect, it } from 'vitest';
import type { Assessment } from '../../../src/model/trace.ts';
import { planAssessments } from '../../../src/places/server/write/trace-assessments.ts';

const make = (assessment_id: string, fields: Partial<Assessment> = {}): Assessment => ({
  assessment_id,
  assessment_name: 'n',
  source: { source_type: 'HUMAN' },
  create_time: 1,
  last_update_time: 1,
  feedback: { value: '1' },
  metadata: {},
  valid: true,
  ...fields,
});
const a = make('a', { valid: false });
const b = make('b', { overrides: 'a', valid: false });
const c = make('c', { overrides: 'b' });
const ids = (all: readonly Assessment[]) => all.map(({ assessment_id }) => assessment_id);

describe('assessments of a trace', () => {
  it('that override others are made after these', () => {
    const plan = planAssessments([a, b, c, make('d')], []);
    expect([ids(plan.withTrace), ids(plan.after), plan.removed, plan.stayValid]).toEqual([
      ['a', 'd'],
      ['b', 'c'],
      [],
      [],
    ]);
  });

  it('that are there as they are wanted are not sent again', () => {
    const plan = planAssessments([a, b, c], [a, b, c]);
    expect([ids(plan.withTrace), ids(plan.after)]).toEqual([[], []]);
  });

  it('are made anew where what they override was sent again, and so on', () => {
    const plan = planAssessments([{ ...a, rationale: 'new' }, b, c], [a, b, c]);
    expect([ids(plan.withTrace), ids(plan.after), plan.removed]).toEqual([['a'], ['b', 'c'], ['b', 'c']]);
  });

  it('are made invalid where a pass was cut off before that', () => {
    const plan = planAssessments([a, b, c], [{ ...a, valid: true }]);
    expect([ids(plan.withTrace), ids(plan.after), plan.removed]).toEqual([[], ['b', 'c'], []]);
  });

  it('stay valid where nothing overrides them', () => {
    expect(planAssessments([a, make('x', { overrides: 'gone' })], []).stayValid).toEqual(['a']);
  });
});
