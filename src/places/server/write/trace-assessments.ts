import { toJson } from '../../../model/json.ts';
import type { Assessment } from '../../../model/trace.ts';

/** How the assessments of a trace are brought to the target. */
export interface AssessmentPlan {
  /** Sent with the trace, which makes each of them valid. */
  readonly withTrace: readonly Assessment[];
  /** Made after it, one by one in this order: each makes the one that it overrides invalid. */
  readonly after: readonly Assessment[];
  /** Of these, the ones that are there, and go first: nothing else makes what they override invalid again. */
  readonly removed: readonly string[];
  /** Not valid, without another one that overrides them: no route says so. */
  readonly stayValid: readonly string[];
}

/**
 * MLflow (3.6, 3.17) takes assessments with a trace, ids and times included, but marks every one valid, also those that were there;
 * only making an assessment with `overrides` marks another one invalid.
 */
export function planAssessments(
  wanted: readonly Assessment[],
  present: readonly Assessment[],
): AssessmentPlan {
  const there = new Map(present.map((found) => [found.assessment_id, found]));
  const ids = new Set(wanted.map(({ assessment_id }) => assessment_id));
  const overrider = new Map(
    wanted.flatMap((found) =>
      found.overrides === undefined || found.overrides === found.assessment_id
        ? []
        : [[found.overrides, found] as const],
    ),
  );
  const isOverrider = ({ assessment_id, overrides }: Assessment) =>
    overrides !== undefined &&
    ids.has(overrides) &&
    overrider.get(overrides)?.assessment_id === assessment_id;

  /** Those that are sent, or made anew. */
  const sent = new Set<string>();
  for (const found of wanted)
    if (!isSame(found, there.get(found.assessment_id))) sent.add(found.assessment_id);
  // What is sent becomes valid: then what overrides it is made after it. An override is made later than what it overrides.
  for (const found of wanted) {
    const by = overrider.get(found.assessment_id);
    const turnsValid = sent.has(found.assessment_id) || there.get(found.assessment_id)?.valid !== false;
    if (!found.valid && turnsValid && by !== undefined) sent.add(by.assessment_id);
  }
  const after = wanted.filter((found) => sent.has(found.assessment_id) && isOverrider(found));
  const late = new Set(after.map(({ assessment_id }) => assessment_id));
  return {
    withTrace: wanted.filter(({ assessment_id }) => sent.has(assessment_id) && !late.has(assessment_id)),
    after,
    removed: after.flatMap(({ assessment_id }) => (there.has(assessment_id) ? [assessment_id] : [])),
    stayValid: wanted.flatMap(({ assessment_id, valid }) =>
      valid || overrider.has(assessment_id) ? [] : [assessment_id],
    ),
  };
}

function isSame(wanted: Assessment, present: Assessment | undefined): boolean {
  return present !== undefined && toJson({ ...wanted, valid: true }) === toJson({ ...present, valid: true });
}
