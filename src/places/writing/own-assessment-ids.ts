import { createHash } from 'node:crypto';
import type { Assessment } from '../../model/trace.ts';

/** Assessments as they stand in a trace that got another id: theirs are unique in the whole store, and the first ones may be there. */
export function withOwnIds(assessments: readonly Assessment[], trace_id: string): Assessment[] {
  return assessments.map(({ assessment_id, overrides, ...rest }) => ({
    ...rest,
    assessment_id: ownId(assessment_id, trace_id),
    ...(overrides === undefined ? {} : { overrides: ownId(overrides, trace_id) }),
  }));
}

function ownId(assessment_id: string, trace_id: string): string {
  return `a-${createHash('sha256').update(`${assessment_id}\n${trace_id}`).digest('hex').slice(0, 32)}`;
}
