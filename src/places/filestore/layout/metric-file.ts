import { setImmediate } from 'node:timers/promises';
import { type Int64, toInt64 } from '../../../model/int64.ts';
import { fromDouble, type MetricValue } from '../../../model/metric-value.ts';
import {
  createPointCollector,
  type PointCollector,
  PointColumns,
  type PointList,
} from '../../../model/point-columns.ts';
import { MAX_POINTS, type Point } from '../../../model/records.ts';
import { MlferryError } from '../../../util/errors.ts';
import { readRegularFile } from '../../../util/regular-file.ts';

/**
 * Metric files: one line a point, `<timestamp> <value> <step>`; MLflow 0.x wrote no step, MLflow 3 adds
 * `<dataset name> <dataset digest>`, and the name may hold spaces.
 */

const CHUNK_BYTES = 256 * 1024;
const MAX_LINE = 1024 * 1024;

function integer(text: string): Int64 | undefined {
  if (text.length < 16 && /^[1-9]\d*$/.test(text)) return Number(text);
  return toInt64(text.replace(/\.0*$/, '').replace(/^\+/, ''));
}

function double(text: string): MetricValue | undefined {
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return fromDouble(Number(text));
  const word = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (word === null) return undefined;
  if (word[2]?.toLowerCase() === 'nan') return 'NaN';
  return word[1] === '-' ? '-Infinity' : 'Infinity';
}

/** The point of a line, with whether a dataset is named; `undefined` when the line is not one MLflow writes. */
export function parseMetricLine(line: string): { point: Point; dataset: boolean } | undefined {
  const fields = line.trim().split(' ');
  if (fields.length < 2 || fields.length === 4) return undefined;
  const timestamp = integer(fields[0] ?? '');
  const value = double(fields[1] ?? '');
  const step = fields.length === 2 ? 0 : integer(fields[2] ?? '');
  if (timestamp === undefined || value === undefined || step === undefined) return undefined;
  return { point: [step, timestamp, value], dataset: fields.length > 3 };
}

function pythonFloat(value: number): string {
  if (Number.isInteger(value)) {
    if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
    return Math.abs(value) < 1e16 ? `${value}.0` : String(value);
  }
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** The line of a point with its line end; Python's `float()` reads the value back to the same double. */
export function formatMetricLine([step, timestamp, value]: Point): string {
  return `${timestamp} ${pythonFloat(Number(value))} ${step}\n`;
}

/** The lines of points, see {@link formatMetricLine}. */
export function formatMetricLines(points: PointList): string {
  let text = '';
  if (!(points instanceof PointColumns)) {
    for (const point of points) text += formatMetricLine(point);
    return text;
  }
  const { steps, timestamps, values } = points;
  for (let at = 0; at < values.length; at++)
    text += `${timestamps[at]} ${pythonFloat(values[at] ?? 0)} ${steps[at]}\n`;
  return text;
}

/** Points of a metric file as they stand in it, at most 1000 at once, and how many of them name a dataset. */
export interface MetricChunk {
  readonly points: PointList;
  readonly datasets: number;
}

/**
 * Streams a metric file; exact duplicates stay. With `tornEnd: 'drop'` a last line without a line end (a write that a
 * crash cut off) is left out. Throws SOURCE_ITEM naming file and line when a line is broken.
 */
export async function* readMetricFile(
  path: string,
  tornEnd: 'read' | 'drop' = 'read',
): AsyncGenerator<MetricChunk> {
  const points = createPointCollector();
  let datasets = 0;
  let number = 0;
  const take = (): MetricChunk => {
    const chunk = { points: points.take(), datasets };
    datasets = 0;
    return chunk;
  };
  /** The slow way, for any line that MLflow may have written. */
  const add = (line: string) => {
    if (line.trim() === '') return;
    const parsed = parseMetricLine(line);
    if (parsed === undefined)
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number} is not a metric value`);
    points.addPoint(parsed.point);
    if (parsed.dataset) datasets += 1;
  };
  let rest = '';
  let chunks = 0;
  // Only the fields of a dataset are not ASCII, and those are not kept.
  for (const chunk of readRegularFile(path, CHUNK_BYTES)) {
    const text = rest + chunk.toString('latin1');
    let at = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', at)) {
      number += 1;
      if (!scanLine(text, at, end, points)) add(text.slice(at, end));
      at = end + 1;
      if (points.length === MAX_POINTS) yield take();
    }
    rest = text.slice(at);
    if (rest.length > MAX_LINE)
      throw new MlferryError('SOURCE_ITEM', `${path}, line ${number + 1} is too long`);
    chunks += 1;
    // Files are read at once, for there are so many small ones; a long one must let others have a turn.
    if (chunks > 1) await setImmediate();
  }
  if (rest !== '' && tornEnd === 'read') {
    number += 1;
    add(rest);
  }
  if (points.length > 0) yield take();
}

const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;
/** Longest integer that is surely safe. */
const SAFE_DIGITS = 15;

/** Takes the line from `start` to `end` if it is as MLflow writes a point without a dataset. */
function scanLine(text: string, start: number, end: number, points: PointCollector): boolean {
  const first = text.indexOf(' ', start);
  const second = text.indexOf(' ', first + 1);
  if (first < 0 || second < 0 || second > end) return false;
  if (!isInteger(text, start, first) || !isInteger(text, second + 1, end)) return false;
  for (let at = first + 1; at < second; at++) if (!isOfNumber(text.charCodeAt(at))) return false;
  const value = second > first + 1 ? Number(text.slice(first + 1, second)) : Number.NaN;
  if (Number.isNaN(value)) return false;
  points.add(integerOf(text, second + 1, end), integerOf(text, start, first), value);
  return true;
}

/** A digit, a sign, a point or an exponent's letter. */
function isOfNumber(code: number): boolean {
  return (
    (code >= ZERO && code <= NINE) ||
    code === 0x2e ||
    code === MINUS ||
    code === 0x65 ||
    code === 0x2b ||
    code === 0x45
  );
}

/** Whether a part of a line is an integer in the usual spelling that surely is safe. */
function isInteger(text: string, from: number, to: number): boolean {
  const start = text.charCodeAt(from) === MINUS ? from + 1 : from;
  const digits = to - start;
  if (digits <= 0 || digits > SAFE_DIGITS) return false;
  if (text.charCodeAt(start) === ZERO && (digits > 1 || start > from)) return false;
  for (let at = start; at < to; at++) {
    const code = text.charCodeAt(at);
    if (code < ZERO || code > NINE) return false;
  }
  return true;
}

function integerOf(text: string, from: number, to: number): number {
  const negative = text.charCodeAt(from) === MINUS;
  let value = 0;
  for (let at = negative ? from + 1 : from; at < to; at++) value = value * 10 + text.charCodeAt(at) - ZERO;
  return negative ? -value : value;
}
