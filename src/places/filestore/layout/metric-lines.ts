import { type Int64, toInt64 } from '../../../model/int64.ts';
import { createNumberColumn, numberEnd } from '../../../model/number-column.ts';
import { columns, type Points } from '../../../model/points.ts';
import { type ScannedInteger, scanInteger, writeInt64 } from '../../../model/points-json.ts';

/**
 * Lines of metric files, one a point: `<timestamp> <value> <step>`; MLflow 0.x wrote no step, MLflow 3 adds
 * `<dataset name> <dataset digest>`, and the name may hold spaces.
 */

const LINE_FEED = 0x0a;
const SPACE = 0x20;

function integer(text: string): Int64 | undefined {
  return toInt64(text.replace(/\.0*$/, '').replace(/^\+/, ''));
}

function double(text: string): number | undefined {
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) return Number(text);
  const word = /^([-+]?)(inf(?:inity)?|nan)$/i.exec(text);
  if (word === null) return undefined;
  if (word[2]?.toLowerCase() === 'nan') return Number.NaN;
  return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
}

/** The point of a line, and whether a dataset is named. */
export interface MetricLine {
  readonly step: Int64;
  readonly timestamp: Int64;
  readonly value: number;
  readonly dataset: boolean;
}

/** Reads a line of any form; `undefined` when it is not one MLflow writes. */
export function parseMetricLine(line: string): MetricLine | undefined {
  const fields = line.trim().split(' ');
  if (fields.length < 2 || fields.length === 4) return undefined;
  const timestamp = integer(fields[0] ?? '');
  const value = double(fields[1] ?? '');
  const step = fields.length === 2 ? 0 : integer(fields[2] ?? '');
  if (timestamp === undefined || value === undefined || step === undefined) return undefined;
  return { step, timestamp, value, dataset: fields.length > 3 };
}

/** Points read from lines, and how many of them name a dataset. */
export interface MetricChunk {
  readonly points: Points;
  readonly datasets: number;
}

/** Collects the points of lines that are given one after another. */
export interface MetricLines {
  /** Points taken since the last `end`. */
  count(): number;
  /** Takes a line of three plain numbers that begins at `start`: where the next one begins; -1 when it is no such line. */
  takePlain(bytes: Buffer, start: number): number;
  /** Takes the line from `start` to its line feed, or to `stop`. False when it is no metric value. */
  take(bytes: Buffer, start: number, stop: number): boolean;
  /** What was taken; then it begins anew. */
  end(): MetricChunk;
}

/** An empty {@link MetricLines}. Plain lines make no object; any other goes through its text. */
export function createMetricLines(): MetricLines {
  let steps: Int64[] = [];
  let timestamps: Int64[] = [];
  let datasets = 0;
  const values = createNumberColumn();
  const found: ScannedInteger = { value: 0, end: 0 };

  const takePlain = (bytes: Buffer, start: number): number => {
    scanInteger(bytes, start, found);
    const timestamp = found.value;
    const valueStart = found.end + 1;
    if (valueStart === 0 || bytes[valueStart - 1] !== SPACE) return -1;
    const valueEnd = numberEnd(bytes, valueStart);
    if (valueEnd === -1 || bytes[valueEnd] !== SPACE) return -1;
    scanInteger(bytes, valueEnd + 1, found);
    if (found.end === -1 || bytes[found.end] !== LINE_FEED) return -1;
    steps.push(found.value);
    timestamps.push(timestamp);
    values.take(bytes, valueStart, valueEnd);
    return found.end + 1;
  };

  return {
    count: () => steps.length,
    takePlain,
    take(bytes, start, stop) {
      // Only the fields of a dataset are not ASCII, and those are not kept.
      const text = bytes.toString('latin1', start, stop);
      if (text.trim() === '') return true;
      const line = parseMetricLine(text);
      if (line === undefined) return false;
      steps.push(line.step);
      timestamps.push(line.timestamp);
      values.put(line.value);
      if (line.dataset) datasets += 1;
      return true;
    },
    end() {
      const chunk = { points: columns(steps, timestamps, values.end()), datasets };
      values.clear();
      steps = [];
      timestamps = [];
      datasets = 0;
      return chunk;
    },
  };
}

/** Most bytes of a line: two integers of 20 digits, a double of 24 characters, `.0`, and what stands between them. */
const MOST_BYTES = 72;

/** The lines of points, each with its line end; Python's `float()` reads the values back to the same doubles. */
export function formatMetricLines(points: Points): Buffer {
  if (points.json !== undefined) return linesOfJson(points.json, points.length);
  const { length, steps, timestamps, values } = points;
  const out = Buffer.allocUnsafe(length * MOST_BYTES);
  let at = 0;
  for (let index = 0; index < length; index++) {
    at = writeInt64(out, at, timestamps[index] ?? 0);
    out[at++] = SPACE;
    at += out.write(pythonFloat(values[index] ?? 0), at, 'latin1');
    out[at++] = SPACE;
    at = writeInt64(out, at, steps[index] ?? 0);
    out[at++] = LINE_FEED;
  }
  return out.subarray(0, at);
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const MINUS = 0x2d;
const POINT = 0x2e;
const COMMA = 0x2c;
const CLOSE = 0x5d;
const QUOTE = 0x22;

/** The lines of so many points that stand as JSON without spaces, digit for digit. */
function linesOfJson(json: Uint8Array, length: number): Buffer {
  const out = Buffer.allocUnsafe(json.length + 2 * length);
  let at = 0;
  let from = 0;
  for (let index = 0; index < length; index++) {
    // [step,timestamp,value] after [ or ,
    const step = from + 2;
    let stepEnd = step;
    while (json[stepEnd] !== COMMA) stepEnd++;
    for (from = stepEnd + 1; json[from] !== COMMA; from++) out[at++] = json[from] ?? 0;
    out[at++] = SPACE;
    const value = ++from;
    if (json[value] === QUOTE) {
      from = json.indexOf(CLOSE, value);
      const word = Buffer.from(json.subarray(value + 1, from - 1)).toString('latin1');
      at += out.write(pythonFloat(Number(word)), at, 'latin1');
    } else {
      let isWhole = true;
      for (let byte = json[from] ?? CLOSE; byte !== CLOSE; byte = json[++from] ?? CLOSE) {
        isWhole &&= byte === MINUS || (byte >= DIGIT_0 && byte <= DIGIT_9);
        out[at++] = byte;
      }
      // As Python writes it: from 10^16 on without a fraction.
      if (isWhole && from - value <= MOST_WHOLE_DIGITS + (json[value] === MINUS ? 1 : 0)) {
        out[at++] = POINT;
        out[at++] = DIGIT_0;
      }
    }
    out[at++] = SPACE;
    for (let digit = step; digit < stepEnd; digit++) out[at++] = json[digit] ?? 0;
    out[at++] = LINE_FEED;
    from++;
  }
  return out.subarray(0, at);
}

const MOST_WHOLE_DIGITS = 16;

function pythonFloat(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  return Number.isInteger(value) && Math.abs(value) < 1e16 ? `${value}.0` : String(value);
}
