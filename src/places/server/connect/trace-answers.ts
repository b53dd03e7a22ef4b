import { z } from 'zod';
import { int64Answer, toInt64 } from '../../../model/int64.ts';
import { hexId, liftAttributes } from '../../../model/mlflow/trace-data.ts';
import {
  assessmentJson,
  durationMs,
  previewsIn,
  stateOf,
  type TraceInfo,
  timestampMs,
  traceInfo,
} from '../../../model/mlflow/trace-fields.ts';
import { type StringMap, stringMap } from '../../../model/string-map.ts';
import { type Span, sortSpans } from '../../../model/trace.ts';
import { printTypedJson, pythonNumber, type TypedJson } from '../../../model/typed-json.ts';
import { keyValues, toMap } from './answers.ts';

const orNone = z
  .string()
  .nullish()
  .transform((text) => text ?? undefined);

const newerInfo = z
  .object({
    trace_id: z.string().min(1),
    client_request_id: orNone,
    trace_location: z.object({ mlflow_experiment: z.object({ experiment_id: z.string().min(1) }) }),
    request_time: z.string(),
    execution_duration: orNone,
    state: orNone,
    request_preview: orNone,
    response_preview: orNone,
    trace_metadata: stringMap.default({}),
    tags: stringMap.default({}),
    assessments: z.array(assessmentJson).default([]),
  })
  .transform(({ trace_location, request_time, execution_duration, ...info }, context): TraceInfo => {
    const began = timestampMs(request_time);
    const lasted = execution_duration === undefined ? undefined : durationMs(execution_duration);
    if (began === undefined || (execution_duration !== undefined && lasted === undefined)) {
      context.addIssue({ code: 'custom', message: 'has no valid time' });
      return z.NEVER;
    }
    const { experiment_id } = trace_location.mlflow_experiment;
    return traceInfo({
      ...info,
      experiment_id,
      request_time: began,
      execution_duration: lasted,
      state: stateOf(info.state),
    });
  });

/** Of the API of 2.14 to 3.2; its only previews are metadata, as MLflow 3 itself takes them (mlflow/entities/trace_info_v2.py). */
const olderInfo = z
  .object({
    request_id: z.string().min(1),
    experiment_id: z.string().min(1),
    timestamp_ms: int64Answer.default(0),
    execution_time_ms: int64Answer.optional(),
    status: orNone,
    request_metadata: keyValues,
    tags: keyValues,
  })
  .transform((info): TraceInfo => {
    const trace_metadata = toMap(info.request_metadata);
    return traceInfo({
      trace_id: info.request_id,
      experiment_id: info.experiment_id,
      request_time: info.timestamp_ms,
      // Of a trace that has not ended 0 is told.
      execution_duration:
        info.status === 'IN_PROGRESS' && info.execution_time_ms === 0 ? undefined : info.execution_time_ms,
      state: stateOf(info.status),
      ...previewsIn(trace_metadata),
      trace_metadata,
      tags: toMap(info.tags),
      assessments: [],
    });
  });

/** Answer of the newer search; `next_page_token` comes with every full page. */
export const tracePage = z.object({
  traces: z.array(newerInfo).default([]),
  next_page_token: z.string().optional(),
});

/** Answer of the older search. */
export const olderTracePage = z.object({
  traces: z.array(olderInfo).default([]),
  next_page_token: z.string().optional(),
});

/** Answer of a trace's own route and of its creation. */
export const traceGet = z.object({ trace: z.object({ trace_info: newerInfo }) });

/** The same of the older API. */
export const olderTraceGet = z.object({ trace_info: olderInfo });

/** Answer of batchGetInfos. */
export const traceInfos = z.object({ trace_infos: z.array(newerInfo).default([]) });

const keyed = z.array(z.object({ key: z.string(), value: z.unknown().optional() })).default([]);

const otelSpan = z.object({
  trace_id: z.string(),
  span_id: z.string(),
  parent_span_id: orNone,
  name: z.string().default(''),
  start_time_unix_nano: int64Answer.default(0),
  end_time_unix_nano: int64Answer.default(0),
  attributes: keyed,
  events: z
    .array(
      z.object({ name: z.string().default(''), time_unix_nano: int64Answer.default(0), attributes: keyed }),
    )
    .default([]),
  links: z.array(z.object({ trace_id: z.string(), span_id: z.string(), attributes: keyed })).default([]),
  status: z.object({ code: orNone, message: orNone }).default({ code: undefined, message: undefined }),
});

const wholeTrace = z
  .object({ trace_info: z.object({ trace_id: z.string().min(1) }), spans: z.array(otelSpan).default([]) })
  .transform(({ trace_info: { trace_id }, spans }, context) => {
    try {
      const isPlain = spans.every((each) =>
        [each, ...each.events, ...each.links].every(({ attributes }) => attributes.every(hasValues)),
      );
      return { trace_id, isPlain, spans: sortSpans(spans.map((span) => spanOf(span, trace_id))) };
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
  });

/** Answer of batchGet: OpenTelemetry's protobuf spans as JSON. Only complete traces are among them. */
export const traceBatch = z.object({ traces: z.array(wholeTrace).default([]) });

function spanOf(span: z.infer<typeof otelSpan>, trace_id: string): Span {
  const own = hexId(span.trace_id, 16);
  const parent = hexId(span.parent_span_id ?? '', 8);
  const code = /^(?:STATUS_CODE_)?(OK|ERROR)$/.exec(span.status.code ?? '')?.[1];
  return {
    span_id: hexId(span.span_id, 8) ?? '',
    ...(own === undefined || `tr-${own}` === trace_id ? {} : { trace_id: own }),
    ...(parent === undefined ? {} : { parent_span_id: parent }),
    name: span.name,
    start_time_unix_nano: span.start_time_unix_nano,
    ...(span.end_time_unix_nano === 0 ? {} : { end_time_unix_nano: span.end_time_unix_nano }),
    status_code: code === 'OK' || code === 'ERROR' ? code : 'UNSET',
    ...(span.status.message ? { status_message: span.status.message } : {}),
    ...liftAttributes(textsOf(span.attributes), trace_id),
    events: span.events.map(({ attributes, ...event }) => ({ ...event, attributes: textsOf(attributes) })),
    links: span.links.map(({ trace_id: linked, span_id, attributes }) => ({
      trace_id: `tr-${hexId(linked, 16) ?? ''}`,
      span_id: hexId(span_id, 8) ?? '',
      attributes: textsOf(attributes),
    })),
  };
}

const textsOf = (pairs: z.infer<typeof keyed>): StringMap =>
  Object.fromEntries(pairs.map(({ key, value }) => [key, printTypedJson(anyValue(value))]));

const anyValues = z.record(z.string(), z.unknown());
const listValue = z.object({ values: z.array(z.unknown()).default([]) });
const mapValue = z.object({ values: keyed });

/** OpenTelemetry's AnyValue; one without a field is null. Throws SyntaxError for what is none. */
function anyValue(json: unknown): TypedJson {
  const value = json === undefined ? {} : anyValues.safeParse(json).data;
  if (value === undefined) throw new SyntaxError('an attribute is no AnyValue');
  const [entry] = Object.entries(value);
  if (entry === undefined) return null;
  const [kind, held] = entry;
  if (kind === 'string_value' || kind === 'bytes_value') return String(held);
  if (kind === 'bool_value') return held === true;
  if (kind === 'int_value') {
    const integer = typeof held === 'number' || typeof held === 'string' ? toInt64(held) : undefined;
    return { number: String(integer ?? wrong(kind)) };
  }
  if (kind === 'double_value') return { number: pythonNumber(Number(held)) };
  if (kind === 'array_value') return (listValue.safeParse(held).data ?? wrong(kind)).values.map(anyValue);
  if (kind !== 'kvlist_value') return wrong(kind);
  const { values } = mapValue.safeParse(held).data ?? wrong(kind);
  return new Map(values.map(({ key, value: item }) => [key, anyValue(item)]));
}

/** Whether no value within one is null: MLflow 3.6 tells empty lists and objects as null, too. */
function hasValues({ value }: { value?: unknown }): boolean {
  const held = value === undefined ? {} : (anyValues.safeParse(value).data ?? {});
  const [entry] = Object.entries(held);
  if (entry === undefined) return false;
  const items = listValue.safeParse(entry[1]).data?.values ?? [];
  if (entry[0] === 'array_value') return items.every((item) => hasValues({ value: item }));
  return entry[0] !== 'kvlist_value' || (mapValue.safeParse(entry[1]).data?.values ?? []).every(hasValues);
}

function wrong(kind: string): never {
  throw new SyntaxError(`an attribute has no valid ${kind}`);
}
