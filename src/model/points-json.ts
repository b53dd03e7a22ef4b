import type { Int64 } from './int64.ts';
import { toJson } from './json.ts';
import { fromDouble } from './metric-value.ts';
import { createNumberColumn, numberEnd } from './number-column.ts';
import { columns, type Points, pointAt } from './points.ts';

/**
 * The JSON of points, `[[step,timestamp,value],…]`, written and read as bytes. What is written is byte for byte what
 * `toJson` makes of a list of points; what is read is only what is written so, and not all of that: of anything else
 * (integers beyond 2^53, spaces, damage) the slow way has to judge.
 */

const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const ZERO = 0x30;
const OPEN = 0x5b;
const CLOSE = 0x5d;

/** More than two integers (20 digits, sign, quotes), a double (24 characters) and what stands between them. */
const MOST_BYTES = 80;

let written = Buffer.alloc(MOST_BYTES);
let doubles = Buffer.alloc(MOST_BYTES);

/** The bytes are valid until the next call. */
export function pointsToJson({ length, steps, timestamps, values }: Points): Uint8Array {
  if (written.length < (length + 1) * MOST_BYTES) {
    written = Buffer.allocUnsafe(2 * (length + 1) * MOST_BYTES);
    doubles = Buffer.allocUnsafe(written.length);
  }
  doubles.write(valuesToJson(values), 0, 'latin1');
  const out = written;
  let at = 0;
  let from = 1;
  out[at++] = OPEN;
  for (let index = 0; index < length; index++) {
    if (index > 0) out[at++] = COMMA;
    out[at++] = OPEN;
    at = writeJson(out, at, steps[index] ?? 0);
    out[at++] = COMMA;
    at = writeJson(out, at, timestamps[index] ?? 0);
    out[at++] = COMMA;
    for (
      let byte = doubles[from++] ?? CLOSE;
      byte !== COMMA && byte !== CLOSE;
      byte = doubles[from++] ?? CLOSE
    )
      out[at++] = byte;
    out[at++] = CLOSE;
  }
  out[at++] = CLOSE;
  return out.subarray(0, at);
}

/** One call for all, unless one of them is a number that JSON does not have. */
function valuesToJson(values: readonly number[]): string {
  return values.every(standsInJson) ? JSON.stringify(values) : toJson(values.map(fromDouble));
}

const standsInJson = (value: number) => Number.isFinite(value) && !Object.is(value, -0);

function writeJson(out: Uint8Array, at: number, integer: Int64): number {
  if (typeof integer === 'number') return writeInt64(out, at, integer);
  out[at] = QUOTE;
  const end = writeInt64(out, at + 1, integer);
  out[end] = QUOTE;
  return end + 1;
}

/** Writes the digits of an integer; where they end. */
export function writeInt64(out: Uint8Array, start: number, integer: Int64): number {
  let at = start;
  if (typeof integer === 'string') {
    for (let index = 0; index < integer.length; index++) out[at++] = integer.charCodeAt(index);
    return at;
  }
  if (integer < 0) out[at++] = MINUS;
  return writeDigits(out, at, Math.abs(integer));
}

/** Of an integer that is surely below 2^53. */
const MOST_DIGITS = 15;
const NINE_DIGITS = 1e9;

function writeDigits(out: Uint8Array, at: number, integer: number): number {
  let digits = 1;
  for (let power = 10; power <= integer; power *= 10) digits++;
  const end = at + digits;
  // Arithmetic of 32 bits is the fast one: nine digits at a time.
  let rest = integer;
  let to = end;
  while (rest >= NINE_DIGITS) {
    const above = Math.floor(rest / NINE_DIGITS);
    putDigits(out, to - 9, to, rest - above * NINE_DIGITS);
    to -= 9;
    rest = above;
  }
  putDigits(out, at, to, rest);
  return end;
}

/** The digits of an integer below 10^9, from the last one back, zeros in front. */
function putDigits(out: Uint8Array, start: number, end: number, integer: number): void {
  let rest = integer | 0;
  for (let at = end - 1; at >= start; at--) {
    const tenth = (rest / 10) | 0;
    out[at] = ZERO + rest - tenth * 10;
    rest = tenth;
  }
}

/** An integer in bytes and where it ends. */
export interface ScannedInteger {
  value: number;
  /** -1: there is none of at most 15 digits in its one spelling. */
  end: number;
}

/** Reads an integer that begins at `at` into `found`. */
export function scanInteger(bytes: Uint8Array, at: number, found: ScannedInteger): void {
  const isNegative = bytes[at] === MINUS;
  const start = isNegative ? at + 1 : at;
  let end = start;
  let value = 0;
  for (let digit = (bytes[end] ?? 0) - ZERO; digit >= 0 && digit <= 9; digit = (bytes[++end] ?? 0) - ZERO)
    value = value * 10 + digit;
  const digits = end - start;
  const leadsWithZero = bytes[start] === ZERO && (digits > 1 || isNegative);
  found.value = isNegative ? -value : value;
  found.end = digits === 0 || digits > MOST_DIGITS || leadsWithZero ? -1 : end;
}

const numbers = createNumberColumn();
const scanned: ScannedInteger = { value: 0, end: 0 };

/** Points found in JSON, and where it ends. */
export interface ScannedPoints {
  readonly points: Points;
  readonly end: number;
}

/**
 * Finds points that begin at `at`; `undefined` unless they stand there as they are written, at most `most`. Their columns
 * are made when somebody asks for them: until then the bytes must stay what they are.
 */
export function scanPoints(bytes: Uint8Array, at: number, most: number): ScannedPoints | undefined {
  let length = 0;
  /** Of the point with the greatest (step, timestamp); whether another one has the same. */
  let latestAt = -1;
  let latestStep = 0;
  let latestTime = 0;
  let isTied = false;
  let next = at;
  if (bytes[next] !== OPEN) return undefined;
  do {
    const start = ++next;
    if (length === most || bytes[start] !== OPEN) return undefined;
    let step = 0;
    let timestamp = 0;
    for (let field = 0; field < 2; field++) {
      const isNegative = bytes[++next] === MINUS;
      if (isNegative) next++;
      const first = next;
      let integer = 0;
      for (
        let digit = (bytes[next] ?? 0) - ZERO;
        digit >= 0 && digit <= 9;
        digit = (bytes[++next] ?? 0) - ZERO
      )
        integer = integer * 10 + digit;
      const digits = next - first;
      if (bytes[next] !== COMMA || digits === 0 || digits > MOST_DIGITS) return undefined;
      if (bytes[first] === ZERO && (digits > 1 || isNegative)) return undefined;
      if (field === 0) step = isNegative ? -integer : integer;
      else timestamp = isNegative ? -integer : integer;
    }
    next = valueEnd(bytes, next + 1);
    if (next === -1 || bytes[next] !== CLOSE) return undefined;
    if (latestAt === -1 || step > latestStep || (step === latestStep && timestamp >= latestTime)) {
      isTied = latestAt !== -1 && step === latestStep && timestamp === latestTime;
      if (!isTied) latestAt = start;
      latestStep = step;
      latestTime = timestamp;
    }
    length++;
    next++;
  } while (bytes[next] === COMMA);
  if (bytes[next] !== CLOSE) return undefined;
  const end = next + 1;
  return { points: standingPoints(bytes.subarray(at, end), length, isTied ? -1 : latestAt - at), end };
}

const EMPTY = new Uint8Array();

/** Points as columns that are made of their JSON when they are asked for. `latestAt`: where the latest begins, -1 if more than one may be. */
function standingPoints(json: Uint8Array, length: number, latestAt: number): Points {
  let text: Uint8Array | undefined = json;
  let made: Points | undefined;
  const make = () => {
    made ??= makeColumns(text ?? EMPTY, length);
    // The bytes may be part of a large buffer.
    text = undefined;
    return made;
  };
  return {
    length,
    get steps() {
      return make().steps;
    },
    get timestamps() {
      return make().timestamps;
    },
    get values() {
      return make().values;
    },
    get json() {
      return text;
    },
    latest: () =>
      latestAt === -1 || text === undefined
        ? undefined
        : pointAt(makeColumns(text.subarray(latestAt - 1), 1), 0),
  };
}

/** The columns of so many points that {@link scanPoints} has found. */
function makeColumns(json: Uint8Array, length: number): Points {
  const steps: number[] = [];
  const timestamps: number[] = [];
  numbers.clear();
  let next = 0;
  for (let index = 0; index < length; index++) {
    scanInteger(json, next + 2, scanned);
    steps.push(scanned.value);
    scanInteger(json, scanned.end + 1, scanned);
    timestamps.push(scanned.value);
    next = takeValue(json, scanned.end + 1) + 1;
  }
  return columns(steps, timestamps, numbers.end());
}

const WORDS = ['NaN', 'Infinity', '-Infinity'].map((word) => ({
  bytes: Buffer.from(`"${word}"`),
  value: Number(word),
}));

function wordAt(bytes: Uint8Array, at: number) {
  return WORDS.find((each) => each.bytes.every((byte, index) => bytes[at + index] === byte));
}

/** Where the value that begins at `at` ends; -1 when there is none. */
function valueEnd(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== QUOTE) return numberEnd(bytes, at);
  const word = wordAt(bytes, at);
  return word === undefined ? -1 : at + word.bytes.length;
}

/** Takes the value that begins at `at` into `numbers`; where it ends. */
function takeValue(bytes: Uint8Array, at: number): number {
  const word = bytes[at] === QUOTE ? wordAt(bytes, at) : undefined;
  const end = word === undefined ? numberEnd(bytes, at) : at + word.bytes.length;
  if (word === undefined) numbers.take(bytes, at, end);
  else numbers.put(word.value);
  return end;
}
