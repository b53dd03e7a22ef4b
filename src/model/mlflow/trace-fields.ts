import { z } from 'zod';
import { type Int64, toInt64 } from '../int64.ts';
import { ownValue, type StringMap } from '../string-map.ts';
import { type Assessment, SPANS_LOCATIONS, sortAssessments, TRACE_STATES, type Trace } from '../trace.ts';
import { isMap, parseTypedJson, printTypedJson, type TypedJson } from '../typed-json.ts';

/** Keys of MLflow in a trace's metadata and tags (mlflow/tracing/constant.py), and what stands in fields of a record instead. */
export const SOURCE_RUN = 'mlflow.sourceRun';
const MODEL_ID = 'mlflow.modelId';
export const ASSESSMENT_RUN = 'mlflow.assessment.sourceRunId';
/** Set by every v3 create since 3.15: says nothing of the trace. */
const FINALIZED = 'mlflow.trace.infoFinalized';
export const ARTIFACT_LOCATION_TAG = 'mlflow.artifactLocation';
export const SPANS_LOCATION_TAG = 'mlflow.trace.spansLocation';
/** What a server keeps in tags about where a trace is. */
const PLACE_TAGS: ReadonlySet<string> = new Set([
  ARTIFACT_LOCATION_TAG,
  SPANS_LOCATION_TAG,
  'mlflow.trace.archiveLocation',
  'mlflow.trace.archivalFailure',
]);

/** Tags and metadata of a trace as MLflow keeps them. */
export interface KeptMaps {
  readonly trace_metadata: StringMap;
  readonly tags: StringMap;
}

type Lifted = Pick<
  Trace,
  'source_run_id' | 'model_id' | 'trace_metadata' | 'tags' | 'artifact_uri' | 'spans_location'
>;

/** The fields of a record that MLflow keeps in maps. */
export function liftMaps({ trace_metadata, tags }: KeptMaps): Lifted {
  const source_run_id = ownValue(trace_metadata, SOURCE_RUN);
  const model_id = ownValue(trace_metadata, MODEL_ID);
  const lifted = new Set([
    FINALIZED,
    ...(source_run_id ? [SOURCE_RUN] : []),
    ...(model_id ? [MODEL_ID] : []),
  ]);
  const kept = ownValue(tags, SPANS_LOCATION_TAG);
  return {
    ...(source_run_id ? { source_run_id } : {}),
    ...(model_id ? { model_id } : {}),
    trace_metadata: without(trace_metadata, lifted),
    tags: without(tags, PLACE_TAGS),
    artifact_uri: ownValue(tags, ARTIFACT_LOCATION_TAG) ?? '',
    spans_location: SPANS_LOCATIONS.find((known) => known === kept) ?? 'ARTIFACT_REPO',
  };
}

/** A trace as searches tell it: without its spans. */
export type TraceInfo = Omit<Trace, 'spans'>;

/** What is told of a trace, by any generation of MLflow. */
export interface ToldTrace {
  readonly trace_id: string;
  readonly experiment_id: string;
  readonly client_request_id?: string | undefined;
  readonly request_time: Int64;
  readonly execution_duration?: Int64 | undefined;
  readonly state: Trace['state'];
  readonly request_preview?: string | undefined;
  readonly response_preview?: string | undefined;
  readonly trace_metadata: StringMap;
  readonly tags: StringMap;
  readonly assessments: Trace['assessments'];
}

/** The record of what is told. */
export function traceInfo({
  client_request_id,
  execution_duration,
  request_preview,
  response_preview,
  trace_metadata,
  tags,
  assessments,
  ...rest
}: ToldTrace): TraceInfo {
  return {
    kind: 'trace',
    ...rest,
    ...(client_request_id === undefined ? {} : { client_request_id }),
    ...(execution_duration === undefined ? {} : { execution_duration }),
    ...(request_preview === undefined ? {} : { request_preview }),
    ...(response_preview === undefined ? {} : { response_preview }),
    linked_runs: [],
    ...liftMaps({ trace_metadata, tags }),
    assessments: sortAssessments(assessments),
  };
}

/** A state by MLflow's name for it. */
export const stateOf = (text: string | undefined): Trace['state'] =>
  TRACE_STATES.find((known) => known === text) ?? 'STATE_UNSPECIFIED';

/** The previews of a trace of which only its metadata tells: MLflow 3 takes those of MLflow 2 so (TraceInfoV2.to_v3). */
export function previewsIn(trace_metadata: StringMap): Pick<Trace, 'request_preview' | 'response_preview'> {
  const request_preview = ownValue(trace_metadata, 'mlflow.traceInputs');
  const response_preview = ownValue(trace_metadata, 'mlflow.traceOutputs');
  return {
    ...(request_preview === undefined ? {} : { request_preview }),
    ...(response_preview === undefined ? {} : { response_preview }),
  };
}

/** The metadata of a record as MLflow keeps it. */
export function metadataOf({ source_run_id, model_id, trace_metadata }: Trace): StringMap {
  return {
    ...trace_metadata,
    ...(source_run_id === undefined ? {} : { [SOURCE_RUN]: source_run_id }),
    ...(model_id === undefined ? {} : { [MODEL_ID]: model_id }),
  };
}

function without(map: StringMap, keys: ReadonlySet<string>): StringMap {
  return Object.fromEntries(Object.entries(map).filter(([key]) => !keys.has(key)));
}

/** ms of a protobuf timestamp (`2026-11-27T16:35:30.817Z`); `undefined` when it is none. */
export function timestampMs(text: string): Int64 | undefined {
  const ms = Date.parse(text.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(ms) ? undefined : toInt64(ms);
}

/** ms of a protobuf duration (`1.143s`); `undefined` when it is none. */
export function durationMs(text: string): Int64 | undefined {
  const [, sign = '', whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?s$/.exec(text) ?? [];
  if (whole === undefined) return undefined;
  const ms = BigInt(whole) * 1000n + BigInt(fraction.padEnd(3, '0').slice(0, 3));
  return toInt64(sign === '-' ? -ms : ms);
}

/** A protobuf timestamp of ms. */
export function timestampText(ms: Int64): string {
  return new Date(Number(ms)).toISOString();
}

/** A protobuf duration of ms. */
export function durationText(ms: Int64): string {
  const all = BigInt(ms);
  const size = all < 0n ? -all : all;
  const fraction = String(size % 1000n).padStart(3, '0');
  return `${all < 0n ? '-' : ''}${size / 1000n}${fraction === '000' ? '' : `.${fraction}`}s`;
}

const optionalText = z
  .string()
  .nullish()
  .transform((text) => text || undefined);
const anyText = z
  .unknown()
  .transform((value) =>
    typeof value === 'string' ? value : value === undefined ? '' : JSON.stringify(value),
  );

const moment = z.string().transform((text, context): Int64 => {
  const ms = timestampMs(text);
  if (ms !== undefined) return ms;
  context.addIssue({ code: 'custom', message: 'is not a time' });
  return z.NEVER;
});

const assessmentValue = z.looseObject({
  value: z.unknown().optional(),
  error: z
    .object({ error_code: optionalText, error_message: optionalText, stack_trace: optionalText })
    .nullish(),
});

/** An assessment as MLflow writes it: in REST answers, and in the YAML files of a directory (3.2 and newer). */
export const assessmentJson = z
  .object({
    assessment_id: z.string().min(1),
    assessment_name: z.string().default(''),
    span_id: optionalText,
    source: z
      .object({ source_type: z.string().default(''), source_id: optionalText })
      .default({ source_type: '', source_id: undefined }),
    create_time: moment,
    last_update_time: moment,
    feedback: assessmentValue.nullish(),
    expectation: z
      .looseObject({
        value: z.unknown().optional(),
        serialized_value: z.object({ value: z.string() }).nullish(),
      })
      .nullish(),
    issue: z.object({ issue_name: z.string().default('') }).nullish(),
    rationale: optionalText,
    metadata: z.record(z.string(), anyText).nullish(),
    overrides: optionalText,
    valid: z.boolean().nullish(),
  })
  .transform((answer): Assessment => {
    const metadata = answer.metadata ?? {};
    const source_run_id = ownValue(metadata, ASSESSMENT_RUN);
    const { feedback, expectation, issue, span_id, rationale, overrides } = answer;
    const { error_code, error_message, stack_trace } = feedback?.error ?? {};
    return {
      assessment_id: answer.assessment_id,
      assessment_name: answer.assessment_name,
      ...(span_id === undefined ? {} : { span_id }),
      source: {
        source_type: answer.source.source_type,
        ...(answer.source.source_id === undefined ? {} : { source_id: answer.source.source_id }),
      },
      create_time: answer.create_time,
      last_update_time: answer.last_update_time,
      ...(feedback == null
        ? {}
        : {
            feedback: {
              ...(feedback.value == null ? {} : { value: plainJson(feedback.value) }),
              ...(feedback.error == null
                ? {}
                : {
                    error: {
                      ...(error_code === undefined ? {} : { error_code }),
                      ...(error_message === undefined ? {} : { error_message }),
                      ...(stack_trace === undefined ? {} : { stack_trace }),
                    },
                  }),
            },
          }),
      ...(expectation == null ? {} : { expectation: expectationOf(expectation) }),
      ...(issue == null ? {} : { issue }),
      ...(rationale === undefined ? {} : { rationale }),
      metadata: source_run_id ? without(metadata, new Set([ASSESSMENT_RUN])) : metadata,
      ...(source_run_id ? { source_run_id } : {}),
      ...(overrides === undefined ? {} : { overrides }),
      valid: answer.valid ?? true,
    };
  });

function expectationOf({
  value,
  serialized_value,
}: {
  value?: unknown;
  serialized_value?: { value: string } | null | undefined;
}): NonNullable<Assessment['expectation']> {
  if (serialized_value != null) return { value: spelt(serialized_value.value) };
  return value == null ? {} : { value: plainJson(value) };
}

/** A protobuf value as JSON text; its keys come in any order, and are sorted. */
function plainJson(value: unknown): string {
  return printTypedJson(sorted(parseTypedJson(JSON.stringify(value))));
}

/** A JSON text as Python spells it; what is no JSON is a text. */
function spelt(text: string): string {
  try {
    return printTypedJson(parseTypedJson(text));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return JSON.stringify(text);
  }
}

function sorted(value: TypedJson): TypedJson {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isMap(value)) return value;
  const entries = [...value].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return new Map(entries.map(([key, item]) => [key, sorted(item)]));
}

/** An assessment as the REST API takes it; the values of lists and objects of an expectation go as text. */
export function assessmentBody(trace_id: string, record: Assessment): Readonly<Record<string, unknown>> {
  const { feedback, expectation, source_run_id, metadata, create_time, last_update_time, ...rest } = record;
  return {
    ...rest,
    trace_id,
    create_time: timestampText(create_time),
    last_update_time: timestampText(last_update_time),
    metadata: { ...metadata, ...(source_run_id === undefined ? {} : { [ASSESSMENT_RUN]: source_run_id }) },
    ...(feedback === undefined ? {} : { feedback: { ...feedback, value: plainValue(feedback.value) } }),
    ...(expectation === undefined
      ? {}
      : {
          expectation: /^[[{]/.test(expectation.value ?? '')
            ? { serialized_value: { serialization_format: 'JSON_FORMAT', value: expectation.value } }
            : { value: plainValue(expectation.value) },
        }),
  };
}

/** The value of a JSON text; a number is the double that it spells. */
function plainValue(text = 'null'): unknown {
  return JSON.parse(text);
}
