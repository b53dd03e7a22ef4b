import { toInt64 } from '../int64.ts';
import { ownValue } from '../string-map.ts';
import { type Span, sortSpans } from '../trace.ts';
import { isMap, isNumber, parseTypedJson, printTypedJson, type TypedJson } from '../typed-json.ts';

/**
 * The artifact `traces.json` of a trace, in every form that MLflow has written (mlflow/entities/span.py): the one of 2.14 to 2.22
 * (`context`, `start_time`, `status_code`), that of 3.x (ids in base64, `start_time_unix_nano`, `status`), and that of 3.5.0 (ids in hex).
 */

const REQUEST_ID = 'mlflow.traceRequestId';
const EXPERIMENT_ID = 'mlflow.experimentId';

/** The spans of a `traces.json`, or of what a server says in its place. Throws SyntaxError for what is none. */
export function parseTraceData(text: string, trace_id: string): Span[] {
  const spans = field(parseTypedJson(text), 'spans');
  if (!Array.isArray(spans)) throw new SyntaxError('it has no list of spans');
  return sortSpans(spans.map((span) => parseSpan(span, trace_id)));
}

function parseSpan(json: TypedJson, trace_id: string): Span {
  const context = field(json, 'context');
  const older = context !== undefined && isMap(context);
  const ids = older ? context : json;
  const own = hexId(field(ids, 'trace_id'), 16);
  const parent = hexId(field(json, older ? 'parent_id' : 'parent_span_id'), 8);
  const status = older ? json : field(json, 'status');
  const message = field(status ?? null, older ? 'status_message' : 'message');
  const end = integer(field(json, older ? 'end_time' : 'end_time_unix_nano'));
  const attributes = texts(field(json, 'attributes'), true);
  return {
    span_id: hexId(field(ids, 'span_id'), 8) ?? fail('a span has no span_id'),
    ...(own === undefined || `tr-${own}` === trace_id ? {} : { trace_id: own }),
    ...(parent === undefined ? {} : { parent_span_id: parent }),
    name: text(field(json, 'name')) ?? '',
    start_time_unix_nano: integer(field(json, older ? 'start_time' : 'start_time_unix_nano')) ?? 0,
    // A span that has not ended comes back from the store with 0.
    ...(end === undefined || end === 0 ? {} : { end_time_unix_nano: end }),
    status_code: statusCode(text(field(status ?? null, older ? 'status_code' : 'code'))),
    ...(text(message) ? { status_message: text(message) } : {}),
    ...liftAttributes(attributes, trace_id),
    events: list(field(json, 'events')).map((event) => ({
      name: text(field(event, 'name')) ?? '',
      time_unix_nano: integer(field(event, older ? 'timestamp' : 'time_unix_nano')) ?? 0,
      attributes: texts(field(event, 'attributes'), false),
    })),
    links: list(field(json, 'links')).map((link) => ({
      trace_id: text(field(link, 'trace_id')) ?? '',
      span_id: text(field(link, 'span_id')) ?? '',
      attributes: texts(field(link, 'attributes'), false),
    })),
  };
}

/** The attributes of a span without those that only repeat where it stands, and these. */
export function liftAttributes(
  attributes: Readonly<Record<string, string>>,
  trace_id: string,
): Pick<Span, 'attributes' | 'experiment_id'> {
  const experiment = ownValue(attributes, EXPERIMENT_ID);
  const [, experiment_id] = /^"?([\w-]+)"?$/.exec(experiment ?? '') ?? [];
  const kept = Object.entries(attributes).filter(
    ([key, value]) =>
      !(key === REQUEST_ID && value === JSON.stringify(trace_id)) &&
      !(key === EXPERIMENT_ID && experiment_id !== undefined),
  );
  return {
    attributes: Object.fromEntries(kept),
    ...(experiment_id === undefined ? {} : { experiment_id }),
  };
}

/** All attributes of a span as MLflow keeps them, JSON texts. */
export function attributesOf(span: Span, trace_id: string): Readonly<Record<string, string>> {
  return {
    [REQUEST_ID]: JSON.stringify(trace_id),
    ...(span.experiment_id === undefined ? {} : { [EXPERIMENT_ID]: JSON.stringify(span.experiment_id) }),
    ...span.attributes,
  };
}

/** The text of `traces.json` in the form that MLflow 3 writes, or for servers and clients of 2.x. */
export function printTraceData(spans: readonly Span[], trace_id: string, older: boolean): string {
  const print = older ? olderSpan : newerSpan;
  return printTypedJson(new Map([['spans', spans.map((span) => print(span, trace_id))]]));
}

/** One span as MLflow's store keeps it (3.6 and newer). */
export const printSpan = (span: Span, trace_id: string) => printTypedJson(newerSpan(span, trace_id));

function newerSpan(span: Span, trace_id: string): TypedJson {
  return new Map<string, TypedJson>([
    ['trace_id', base64(traceIdOf(span, trace_id))],
    ['span_id', base64(span.span_id)],
    ['parent_span_id', span.parent_span_id === undefined ? null : base64(span.parent_span_id)],
    ['name', span.name],
    ['start_time_unix_nano', number(span.start_time_unix_nano)],
    ['end_time_unix_nano', span.end_time_unix_nano === undefined ? null : number(span.end_time_unix_nano)],
    ['events', span.events.map((event) => eventOf(event, 'time_unix_nano'))],
    [
      'status',
      new Map([
        ['code', `STATUS_CODE_${span.status_code}`],
        ['message', span.status_message ?? ''],
      ]),
    ],
    ['attributes', new Map(Object.entries(attributesOf(span, trace_id)))],
    ...linksOf(span),
  ]);
}

function olderSpan(span: Span, trace_id: string): TypedJson {
  const { parent_span_id, end_time_unix_nano } = span;
  return new Map<string, TypedJson>([
    ['name', span.name],
    [
      'context',
      new Map([
        ['span_id', `0x${span.span_id}`],
        ['trace_id', `0x${traceIdOf(span, trace_id)}`],
      ]),
    ],
    ['parent_id', parent_span_id === undefined ? null : `0x${parent_span_id}`],
    ['start_time', number(span.start_time_unix_nano)],
    ['end_time', end_time_unix_nano === undefined ? null : number(end_time_unix_nano)],
    ['status_code', span.status_code],
    ['status_message', span.status_message ?? ''],
    ['attributes', new Map(Object.entries(attributesOf(span, trace_id)))],
    ['events', span.events.map((event) => eventOf(event, 'timestamp'))],
  ]);
}

/** OpenTelemetry's id of the trace, in hexadecimal. */
export function traceIdOf(span: Span, trace_id: string): string {
  if (span.trace_id !== undefined) return span.trace_id;
  return /^tr-([0-9a-f]{32})$/.exec(trace_id)?.[1] ?? ''.padStart(32, '0');
}

function eventOf({ name, time_unix_nano, attributes }: Span['events'][number], time: string): TypedJson {
  return new Map<string, TypedJson>([
    ['name', name],
    [time, number(time_unix_nano)],
    ['attributes', typedMap(attributes)],
  ]);
}

function linksOf({ links }: Span): [string, TypedJson][] {
  if (links.length === 0) return [];
  const all = links.map(
    ({ trace_id, span_id, attributes }) =>
      new Map<string, TypedJson>([
        ['trace_id', trace_id],
        ['span_id', span_id],
        ['attributes', typedMap(attributes)],
      ]),
  );
  return [['links', all]];
}

/** The values of a map of JSON texts. */
export function typedMap(map: Readonly<Record<string, string>>): Map<string, TypedJson> {
  return new Map(Object.entries(map).map(([key, json]) => [key, parseTypedJson(json)]));
}

/** A JSON text as Python spells it; what is no JSON stays as it is. */
export function spelt(json: string): string {
  try {
    return printTypedJson(parseTypedJson(json));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return json;
  }
}

const number = (integer: number | string): TypedJson => ({ number: String(integer) });

const base64 = (hex: string) => Buffer.from(hex, 'hex').toString('base64');

function field(json: TypedJson | undefined, name: string): TypedJson | undefined {
  return json !== undefined && isMap(json) ? json.get(name) : undefined;
}

function list(json: TypedJson | undefined): TypedJson[] {
  return Array.isArray(json) ? json : [];
}

function text(json: TypedJson | undefined): string | undefined {
  return typeof json === 'string' ? json : undefined;
}

function integer(json: TypedJson | undefined) {
  if (isNumber(json)) return toInt64(json.number);
  return typeof json === 'string' ? toInt64(json) : undefined;
}

/** Attributes as JSON texts: those of a span are such texts already, others are values. */
function texts(json: TypedJson | undefined, areTexts: boolean): Record<string, string> {
  if (json === undefined || !isMap(json)) return {};
  return Object.fromEntries(
    [...json].map(([key, value]) => [
      key,
      areTexts && typeof value === 'string' ? spelt(value) : printTypedJson(value),
    ]),
  );
}

/** An id of so many bytes in lower-case hexadecimal, from hexadecimal or base64. */
export function hexId(json: TypedJson | undefined, bytes: number): string | undefined {
  const id = text(json);
  if (id === undefined || id === '') return undefined;
  const hex = /^(?:0x|tr-)?([0-9a-f]+)$/i.exec(id)?.[1];
  if (hex !== undefined && hex.length <= 2 * bytes) return hex.toLowerCase().padStart(2 * bytes, '0');
  const decoded = Buffer.from(id, 'base64');
  return decoded.length === bytes
    ? decoded.toString('hex')
    : fail(`${JSON.stringify(id)} is no id of a span or trace`);
}

function statusCode(code: string | undefined): Span['status_code'] {
  return /(OK|ERROR)$/.exec(code ?? '')?.[1] === 'OK' ? 'OK' : /ERROR$/.test(code ?? '') ? 'ERROR' : 'UNSET';
}

function fail(reason: string): never {
  throw new SyntaxError(reason);
}
