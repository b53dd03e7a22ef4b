import type { Int64 } from '../../../model/int64.ts';
import { attributesOf, traceIdOf, typedMap } from '../../../model/mlflow/trace-data.ts';
import type { Span } from '../../../model/trace.ts';
import { isMap, type TypedJson } from '../../../model/typed-json.ts';

/**
 * Spans as protobuf messages ExportTraceServiceRequest (opentelemetry-proto, trace/v1/trace.proto), which MLflow 3.6 and newer
 * takes; JSON is taken from 3.10 on only. Few fields of few messages, so they are written here.
 */
export function* exportRequests(spans: readonly Span[], trace_id: string): Generator<Uint8Array> {
  let pieces: Buffer[] = [];
  let size = 0;
  for (const span of spans) {
    const piece = bytesField(2, spanMessage(span, trace_id));
    pieces.push(piece);
    size += piece.length;
    if (size < PIECE) continue;
    yield requestOf(pieces);
    pieces = [];
    size = 0;
  }
  if (pieces.length > 0) yield requestOf(pieces);
}

/** Bytes of spans from which on the rest goes in another request. */
const PIECE = 8 * 2 ** 20;

function requestOf(scope: readonly Buffer[]): Uint8Array {
  return bytesField(1, bytesField(2, Buffer.concat(scope)));
}

/** Why spans cannot go to the store as they are, if they cannot. */
export function otlpProblem(spans: readonly Span[], trace_id: string): string | undefined {
  if (spans.length === 0) return 'it has no spans';
  if (!/^tr-[0-9a-f]{32}$/.test(trace_id) || /^tr-0+$/.test(trace_id))
    return 'the store keeps spans only of ids that OpenTelemetry has';
  // The store would take the id of the trace from another one, and a 0 for the root.
  if (spans.some(({ span_id, parent_span_id }) => /^0+$/.test(span_id) || /^0+$/.test(parent_span_id ?? '1')))
    return 'a span has an empty id';
  try {
    for (const span of spans) {
      const texts = [span, ...span.events, ...span.links].map(({ attributes }) => typedMap(attributes));
      if (
        texts.some((values) => !isEncodable(values)) ||
        !isEncodable([span.name, span.status_message ?? ''])
      )
        return 'a value does not fit OpenTelemetry’s types';
      if (
        span.links.some(
          (link) => !/^tr-[0-9a-f]{32}$/.test(link.trace_id) || !/^[0-9a-f]{16}$/.test(link.span_id),
        )
      )
        return 'a link has an id that OpenTelemetry does not have';
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return 'an attribute is no JSON';
  }
  return undefined;
}

const INTEGER = /^-?\d+$/;

function isEncodable(value: TypedJson): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (Array.isArray(value)) return value.every(isEncodable);
  if (value === null || typeof value === 'boolean') return true;
  if (isMap(value)) return [...value].every(([key, item]) => key.isWellFormed() && isEncodable(item));
  return !INTEGER.test(value.number) || BigInt.asIntN(64, BigInt(value.number)) === BigInt(value.number);
}

const STATUS_CODES: Readonly<Record<Span['status_code'], number>> = { UNSET: 0, OK: 1, ERROR: 2 };

function spanMessage(span: Span, trace_id: string): Buffer {
  const status = [
    ...(span.status_message === undefined ? [] : [textField(2, span.status_message)]),
    varintField(3, BigInt(STATUS_CODES[span.status_code])),
  ];
  return Buffer.concat([
    bytesField(1, Buffer.from(traceIdOf(span, trace_id), 'hex')),
    bytesField(2, Buffer.from(span.span_id, 'hex')),
    ...(span.parent_span_id === undefined ? [] : [bytesField(4, Buffer.from(span.parent_span_id, 'hex'))]),
    textField(5, span.name),
    fixedField(7, span.start_time_unix_nano),
    ...(span.end_time_unix_nano === undefined ? [] : [fixedField(8, span.end_time_unix_nano)]),
    ...keyValues(9, typedMap(attributesOf(span, trace_id))),
    ...span.events.map(({ name, time_unix_nano, attributes }) =>
      bytesField(
        11,
        Buffer.concat([
          fixedField(1, time_unix_nano),
          textField(2, name),
          ...keyValues(3, typedMap(attributes)),
        ]),
      ),
    ),
    ...span.links.map(({ trace_id: linked, span_id, attributes }) =>
      bytesField(
        13,
        Buffer.concat([
          bytesField(1, Buffer.from(linked.slice('tr-'.length), 'hex')),
          bytesField(2, Buffer.from(span_id, 'hex')),
          ...keyValues(4, typedMap(attributes)),
        ]),
      ),
    ),
    bytesField(15, Buffer.concat(status)),
  ]);
}

function keyValues(field: number, values: ReadonlyMap<string, TypedJson>): Buffer[] {
  return [...values].map(([key, value]) =>
    bytesField(field, Buffer.concat([textField(1, key), bytesField(2, anyValue(value))])),
  );
}

/** An AnyValue; null is one without a value. */
function anyValue(value: TypedJson): Buffer {
  if (value === null) return Buffer.alloc(0);
  if (typeof value === 'string') return textField(1, value);
  if (typeof value === 'boolean') return varintField(2, value ? 1n : 0n);
  if (Array.isArray(value))
    return bytesField(5, Buffer.concat(value.map((item) => bytesField(1, anyValue(item)))));
  if (isMap(value)) return bytesField(6, Buffer.concat(keyValues(1, value)));
  if (INTEGER.test(value.number)) return varintField(3, BigInt(value.number));
  const double = Buffer.alloc(8);
  double.writeDoubleLE(Number(value.number));
  return Buffer.concat([tag(4, 1), double]);
}

function tag(field: number, wireType: number): Buffer {
  return varint(BigInt(field * 8 + wireType));
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    bytes.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Buffer.from(bytes);
}

function varintField(field: number, value: bigint): Buffer {
  return Buffer.concat([tag(field, 0), varint(value)]);
}

function fixedField(field: number, value: Int64): Buffer {
  const eight = Buffer.alloc(8);
  eight.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return Buffer.concat([tag(field, 1), eight]);
}

function bytesField(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([tag(field, 2), varint(BigInt(bytes.length)), bytes]);
}

function textField(field: number, text: string): Buffer {
  return bytesField(field, Buffer.from(text));
}
