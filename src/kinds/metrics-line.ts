import { isUtf8 } from 'node:buffer';
import { toJson } from '../model/json.ts';
import {
  createCountedPoints,
  createPointCollector,
  PointColumns,
  type PointList,
} from '../model/point-columns.ts';
import { MAX_POINTS } from '../model/records.ts';

/** Points of one metric key of the run above it, as they stand in a line and in memory. */
export interface MetricsRecord {
  readonly kind: 'metrics';
  readonly run_id: string;
  readonly key: string;
  readonly points: PointList;
}

/** The line of a `metrics` record, without its end. */
export function formatMetricsLine({ run_id, key, points }: MetricsRecord): string {
  const head = `{"kind":"metrics","run_id":${JSON.stringify(run_id)},"key":${JSON.stringify(key)},"points":`;
  if (!(points instanceof PointColumns)) return `${head}${toJson([...points])}}`;
  const { steps, timestamps, values } = points;
  let text = `${head}[`;
  for (let at = 0; at < values.length; at++) {
    const value = values[at] ?? 0;
    text += `${at === 0 ? '[' : ',['}${steps[at]},${timestamps[at]},${valueText(value)}]`;
  }
  return `${text}]}`;
}

function valueText(value: number): string {
  if (!Number.isFinite(value)) return `"${value}"`;
  return value === 0 && Object.is(value, -0) ? '-0' : String(value);
}

const HEAD = Buffer.from('{"kind":"metrics","run_id":"');
const POINTS = Buffer.from('","points":[[');
/** Bytes of run id and key, and of the points, beyond which a line is not in a hurry. */
const MOST_NAMES = 4096;
const MOST_TEXT = 2 ** 18;
/** Longest integer that is surely safe. */
const SAFE_DIGITS = 15;

/**
 * Reads a `metrics` line that is written as {@link formatMetricsLine} writes it, without an object a point. `undefined`
 * for any other line, be it of another kind, in another spelling, or damaged: the schema judges it. Without `keep` the
 * points are checked in the same way, and only their number is known afterwards.
 */
export function scanMetricsLine(line: Uint8Array, keep = true): MetricsRecord | undefined {
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  if (bytes.compare(HEAD, 0, HEAD.length, 0, Math.min(HEAD.length, bytes.length)) !== 0) return undefined;
  const pointsAt = bytes.lastIndexOf(POINTS);
  if (pointsAt < 0 || pointsAt > MOST_NAMES || bytes.length - pointsAt > MOST_TEXT) return undefined;
  const names = namesOf(bytes.subarray(0, pointsAt + 1));
  if (names === undefined) return undefined;
  const points = scanPoints(bytes.subarray(pointsAt + POINTS.length), keep);
  return points === undefined ? undefined : { kind: 'metrics', ...names, points };
}

/** The run id and key of `{"kind":"metrics","run_id":"…","key":"…"`. */
function namesOf(head: Buffer): { run_id: string; key: string } | undefined {
  if (!isUtf8(head)) return undefined;
  const parts = /^\{"kind":"metrics","run_id":("(?:[^"\\]|\\.)+"),"key":("(?:[^"\\]|\\.)*")$/.exec(
    head.toString('utf8'),
  );
  const run_id = textOf(parts?.[1]);
  const key = textOf(parts?.[2]);
  return run_id === undefined || key === undefined ? undefined : { run_id, key };
}

function textOf(json: string | undefined): string | undefined {
  try {
    const text: unknown = json === undefined ? undefined : JSON.parse(json);
    return typeof text === 'string' ? text : undefined;
  } catch {
    return undefined;
  }
}

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
const COMMA = 0x2c;
const CLOSE = 0x5d;
const OPEN = 0x5b;
const CLOSE_BRACE = 0x7d;
const LINE_FEED = 0x0a;
const QUOTE = 0x22;
const POINT = 0x2e;
const PLUS = 0x2b;
const SMALL_E = 0x65;
const LARGE_E = 0x45;

/** One for all lines: a line is scanned in one go. */
const points = createPointCollector();

/** `s,t,v],[s,t,v]]}` and a line end. Without `keep` the points are checked and counted only. */
function scanPoints(bytes: Buffer, keep: boolean): PointList | undefined {
  // Values are cut out of a text; all else is seen in the bytes.
  const text = keep ? bytes.toString('latin1') : '';
  points.take();
  let count = 0;
  let at = 0;
  for (;;) {
    const stepEnd = integerEnd(bytes, at);
    const timeEnd = bytes[stepEnd] === COMMA ? integerEnd(bytes, stepEnd + 1) : -1;
    const end = bytes[timeEnd] === COMMA ? valueEnd(bytes, timeEnd + 1) : -1;
    if (end < 0 || bytes[end] !== CLOSE || count === MAX_POINTS) return undefined;
    count += 1;
    if (keep) {
      const value = doubleOf(text, timeEnd + 1, end);
      points.add(integerOf(bytes, at, stepEnd), integerOf(bytes, stepEnd + 1, timeEnd), value);
    }
    if (bytes[end + 1] === CLOSE) {
      const isEnd =
        bytes.length - end === 4 && bytes[end + 2] === CLOSE_BRACE && bytes[end + 3] === LINE_FEED;
      if (!isEnd) return undefined;
      return keep ? points.take() : createCountedPoints(count);
    }
    if (bytes[end + 1] !== COMMA || bytes[end + 2] !== OPEN) return undefined;
    at = end + 3;
  }
}

/** Where the integer that begins at `start` ends; -1 when there is none, or none that is surely safe. */
function integerEnd(bytes: Buffer, start: number): number {
  const first = bytes[start] === MINUS ? start + 1 : start;
  const at = digitsEnd(bytes, first);
  if (at === first || at - first > SAFE_DIGITS) return -1;
  return bytes[first] === ZERO && (at - first > 1 || first > start) ? -1 : at;
}

function isDigit(code: number | undefined): boolean {
  return code !== undefined && code >= ZERO && code <= NINE;
}

function integerOf(bytes: Buffer, start: number, end: number): number {
  const negative = bytes[start] === MINUS;
  let value = 0;
  for (let at = negative ? start + 1 : start; at < end; at++) value = value * 10 + (bytes[at] ?? 0) - ZERO;
  return negative ? -value : value;
}

const WORDS: ReadonlyArray<readonly [text: string, value: number]> = [
  ['"NaN"', Number.NaN],
  ['"Infinity"', Number.POSITIVE_INFINITY],
  ['"-Infinity"', Number.NEGATIVE_INFINITY],
];
const LONGEST_WORD = 11;
/** Longest spelling without an exponent that surely is finite. */
const FINITE_LENGTH = 300;

/** Where the number, or one of the three words, that begins at `start` ends; -1 when it is neither, or not finite. */
function valueEnd(bytes: Buffer, start: number): number {
  if (bytes[start] === QUOTE) {
    const head = bytes.toString('latin1', start, start + LONGEST_WORD);
    const word = WORDS.find(([each]) => head.startsWith(each))?.[0];
    return word === undefined ? -1 : start + word.length;
  }
  const first = bytes[start] === MINUS ? start + 1 : start;
  let at = digitsEnd(bytes, first);
  if (at === first || (bytes[first] === ZERO && at - first > 1)) return -1;
  if (bytes[at] === POINT) {
    const fraction = at + 1;
    at = digitsEnd(bytes, fraction);
    if (at === fraction) return -1;
  }
  if (bytes[at] === SMALL_E || bytes[at] === LARGE_E) {
    const exponent = bytes[at + 1] === MINUS || bytes[at + 1] === PLUS ? at + 2 : at + 1;
    at = digitsEnd(bytes, exponent);
    if (at === exponent || !Number.isFinite(Number(bytes.toString('latin1', start, at)))) return -1;
  }
  return at - start > FINITE_LENGTH ? -1 : at;
}

function digitsEnd(bytes: Buffer, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at;
}

/** The double that a spelling passed by {@link valueEnd} stands for. */
function doubleOf(text: string, start: number, end: number): number {
  if (text.charCodeAt(start) !== QUOTE) return Number(text.slice(start, end));
  return WORDS.find(([word]) => text.startsWith(word, start))?.[1] ?? Number.NaN;
}
