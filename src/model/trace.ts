import { z } from 'zod';
import { compareInt64, int64 } from './int64.ts';
import { stringMap } from './string-map.ts';

/** MLflow's states of traces (mlflow/entities/trace_state.py). */
export const TRACE_STATES = ['STATE_UNSPECIFIED', 'OK', 'ERROR', 'IN_PROGRESS'] as const;

/** MLflow's sources of assessments are open: HUMAN, LLM_JUDGE, CODE are the known ones. */
const assessmentSource = z.strictObject({ source_type: z.string(), source_id: z.string().optional() });

/**
 * What somebody says of a trace, or of one of its spans: exactly one of feedback, expectation and issue. Values are JSON
 * texts.
 */
export const assessment = z.strictObject({
  assessment_id: z.string().min(1).meta({ names: true }),
  assessment_name: z.string(),
  span_id: z.string().optional(),
  source: assessmentSource,
  /** ms since the epoch. */
  create_time: int64,
  last_update_time: int64,
  feedback: z
    .strictObject({
      value: z.string().optional(),
      error: z
        .strictObject({
          error_code: z.string().optional(),
          error_message: z.string().optional(),
          stack_trace: z.string().optional(),
        })
        .optional(),
    })
    .optional(),
  expectation: z.strictObject({ value: z.string().optional() }).optional(),
  issue: z.strictObject({ issue_name: z.string() }).optional(),
  rationale: z.string().optional(),
  metadata: stringMap,
  /** MLflow's metadata `mlflow.assessment.sourceRunId`: the run that made it. */
  source_run_id: z.string().min(1).meta({ references: 'run' }).optional(),
  /** The assessment that this one replaced. */
  overrides: z.string().optional(),
  valid: z.boolean(),
});
export type Assessment = z.infer<typeof assessment>;

const attributes = stringMap;

/** Something that happened at a moment of a span; attributes are JSON texts. */
const spanEvent = z.strictObject({ name: z.string(), time_unix_nano: int64, attributes });

/** A link of a span to a span of any trace. */
const spanLink = z.strictObject({ trace_id: z.string(), span_id: z.string(), attributes });

/** A step of a trace. Times are ns since the epoch, ids lower-case hexadecimal, attributes JSON texts as Python spells them. */
export const span = z.strictObject({
  span_id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .meta({ names: true }),
  /** OpenTelemetry's id of the trace, where the trace's own id does not tell it (MLflow 2). */
  trace_id: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .optional(),
  parent_span_id: z
    .string()
    .regex(/^[0-9a-f]{16}$/)
    .optional(),
  name: z.string(),
  start_time_unix_nano: int64,
  end_time_unix_nano: int64.optional(),
  status_code: z.enum(['UNSET', 'OK', 'ERROR']),
  status_message: z.string().optional(),
  attributes,
  /** MLflow's attribute `mlflow.experimentId`. */
  experiment_id: z.string().min(1).meta({ references: 'experiment' }).optional(),
  events: z.array(spanEvent),
  links: z.array(spanLink),
});
export type Span = z.infer<typeof span>;

/** Where the spans of a trace are kept: in the store, in the artifact `traces.json`, or in an archive that MLflow made. */
export const SPANS_LOCATIONS = ['TRACKING_STORE', 'ARTIFACT_REPO', 'ARCHIVE_REPO'] as const;

/**
 * A trace with its spans and assessments. What MLflow keeps in its metadata about other objects stands in fields of its own.
 */
export const trace = z.strictObject({
  kind: z.literal('trace'),
  trace_id: z.string().min(1).meta({ identifies: 'trace' }),
  experiment_id: z.string().min(1).meta({ references: 'experiment' }),
  client_request_id: z.string().optional(),
  /** When it began, ms since the epoch. */
  request_time: int64,
  /** ms. */
  execution_duration: int64.optional(),
  state: z.enum(TRACE_STATES),
  request_preview: z.string().optional(),
  response_preview: z.string().optional(),
  /** MLflow's metadata `mlflow.sourceRun`: the run it was logged in. */
  source_run_id: z.string().min(1).meta({ references: 'run' }).optional(),
  /** MLflow's metadata `mlflow.modelId`: the logged model that was called. */
  model_id: z.string().min(1).meta({ references: 'logged_model' }).optional(),
  /** Runs that it was linked to afterwards. */
  linked_runs: z.array(
    z.strictObject({ run_id: z.string().min(1).meta({ references: 'run', bound: true }) }),
  ),
  trace_metadata: stringMap,
  tags: stringMap.meta({ mentions: true }),
  assessments: z.array(assessment),
  artifact_uri: z.string().meta({ placed: true }),
  spans_location: z.enum(SPANS_LOCATIONS).meta({ placed: true }),
  /** In the order of their start; a place may give them later than the rest. */
  spans: z.array(span).meta({ late: true }),
});
export type Trace = z.infer<typeof trace>;

/** Whether a trace that is over has spans: MLflow makes none without, so one that has none was read without them. */
export function hasItsSpans({ state, spans }: Pick<Trace, 'state' | 'spans'>): boolean {
  return state === 'IN_PROGRESS' || spans.length > 0;
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

/** Spans in their one order. */
export function sortSpans(spans: readonly Span[]): Span[] {
  return spans.toSorted(
    (a, b) => compareInt64(a.start_time_unix_nano, b.start_time_unix_nano) || byText(a.span_id, b.span_id),
  );
}

/** Assessments in their one order. */
export function sortAssessments(assessments: readonly Assessment[]): Assessment[] {
  return assessments.toSorted(
    (a, b) => compareInt64(a.create_time, b.create_time) || byText(a.assessment_id, b.assessment_id),
  );
}
