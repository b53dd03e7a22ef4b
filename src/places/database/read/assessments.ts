import { z } from 'zod';
import { assessmentJson, timestampText } from '../../../model/mlflow/trace-fields.ts';
import type { Assessment } from '../../../model/trace.ts';
import { flag, integer, nullableText, text } from './cells.ts';
import { rowsOf, type Store } from './store.ts';

const assessmentRow = z.object({
  assessment_id: z.string().min(1),
  trace_id: z.string(),
  name: text,
  assessment_type: z.string(),
  value: z.string(),
  error: nullableText,
  created_timestamp: integer,
  last_updated_timestamp: integer,
  source_type: text,
  source_id: nullableText,
  span_id: nullableText,
  rationale: nullableText,
  overrides: nullableText,
  valid: flag,
  assessment_metadata: nullableText,
});

/** The assessments of some traces (MLflow 3.2 and newer), by trace. */
export async function readAssessments(
  store: Store,
  trace_ids: readonly string[],
): Promise<ReadonlyMap<string, readonly Assessment[]>> {
  if (!store.tables.has('assessments')) return new Map();
  const columns = store.tables.columns('assessments', Object.keys(assessmentRow.shape));
  const rows = await rowsOf(
    store,
    assessmentRow,
    trace_ids,
    (list) => `SELECT ${columns} FROM "assessments" WHERE "trace_id" IN ${list}`,
  );
  const found = new Map<string, Assessment[]>();
  for (const row of rows) {
    const own = found.get(row.trace_id) ?? [];
    try {
      found.set(row.trace_id, [...own, assessmentOf(row)]);
    } catch (error) {
      store.fail(`assessment ${row.assessment_id} of trace ${row.trace_id}`, error);
    }
  }
  return found;
}

/** An assessment as servers tell it: of values only objects and lists are told as JSON texts (mlflow/entities/assessment.py). */
function assessmentOf({
  value,
  error,
  assessment_metadata,
  ...row
}: z.infer<typeof assessmentRow>): Assessment {
  const held = parsed(value);
  return assessmentJson.parse({
    assessment_id: row.assessment_id,
    assessment_name: row.name,
    span_id: row.span_id,
    source: { source_type: row.source_type, source_id: row.source_id },
    create_time: timestampText(row.created_timestamp),
    last_update_time: timestampText(row.last_updated_timestamp),
    rationale: row.rationale,
    overrides: row.overrides,
    valid: row.valid,
    metadata: assessment_metadata === undefined ? undefined : parsed(assessment_metadata),
    ...(row.assessment_type === 'feedback'
      ? { feedback: { value: held, error: error === undefined ? undefined : parsed(error) } }
      : {}),
    ...(row.assessment_type === 'expectation'
      ? {
          expectation:
            typeof held === 'object' && held !== null ? { serialized_value: { value } } : { value: held },
        }
      : {}),
    ...(row.assessment_type === 'issue' ? { issue: held } : {}),
  });
}

/** The value of a JSON text that Python wrote: a bare NaN or infinity is told by its name. */
function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (error) {
    if (/^(NaN|-?Infinity)$/.test(json)) return json;
    throw error;
  }
}
