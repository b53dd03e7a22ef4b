/** Collects the texts of numbers, as bytes, and makes doubles of all of them with one `JSON.parse`. */
export interface NumberColumn {
  /** Forgets all. */
  clear(): void;
  /** Takes the number from `at` to `end`, see {@link numberEnd}. */
  take(bytes: Uint8Array, at: number, end: number): void;
  /** Takes a double. */
  put(value: number): void;
  /** All doubles that were taken. */
  end(): number[];
}

const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LARGE_E = 0x45;
const SMALL_E = 0x65;

/** Where the digits that begin at `at` end. */
function skipDigits(bytes: Uint8Array, at: number): number {
  let end = at;
  for (let byte = bytes[end] ?? 0; byte >= ZERO && byte <= NINE; byte = bytes[++end] ?? 0);
  return end;
}

/** A number with fewer characters and an exponent of at most two digits is never too large for a double. */
const MOST_CHARACTERS = 200;

/** Where the JSON number that begins at `at` ends; -1 when none does, or when it is too large for a double. */
export function numberEnd(bytes: Uint8Array, at: number): number {
  const whole = bytes[at] === MINUS ? at + 1 : at;
  let end = skipDigits(bytes, whole);
  if (end === whole || (bytes[whole] === ZERO && end > whole + 1)) return -1;
  if (bytes[end] === POINT) {
    const fraction = end + 1;
    end = skipDigits(bytes, fraction);
    if (end === fraction) return -1;
  }
  if (bytes[end] === SMALL_E || bytes[end] === LARGE_E) {
    const isSigned = bytes[end + 1] === PLUS || bytes[end + 1] === MINUS;
    const exponent = end + (isSigned ? 2 : 1);
    end = skipDigits(bytes, exponent);
    if (end === exponent) return -1;
    if (end > exponent + 2 && bytes[exponent - 1] !== MINUS) return isTooLarge(bytes, at, end) ? -1 : end;
  }
  return end - at > MOST_CHARACTERS && isTooLarge(bytes, at, end) ? -1 : end;
}

function isTooLarge(bytes: Uint8Array, at: number, end: number): boolean {
  return !Number.isFinite(Number(Buffer.from(bytes.subarray(at, end)).toString('latin1')));
}

/** An empty {@link NumberColumn}. */
export function createNumberColumn(): NumberColumn {
  let text = Buffer.alloc(1024);
  let length = 0;
  let count = 0;
  let given: Array<[index: number, value: number]> = [];
  const reserve = (more: number) => {
    if (text.length >= length + more + 2) return;
    const larger = Buffer.allocUnsafe(2 * (length + more + 2));
    text.copy(larger, 0, 0, length);
    text = larger;
  };
  return {
    clear() {
      length = 0;
      count = 0;
      given = [];
    },
    take(bytes, at, end) {
      reserve(end - at);
      for (let from = at; from < end; from++) text[length++] = bytes[from] ?? 0;
      text[length++] = COMMA;
      count++;
    },
    put(value) {
      reserve(1);
      given.push([count, value]);
      text[length++] = ZERO;
      text[length++] = COMMA;
      count++;
    },
    end() {
      const values = count === 0 ? [] : parseNumbers(`[${text.toString('latin1', 0, length - 1)}]`);
      for (const [index, value] of given) values[index] = value;
      return values;
    },
  };
}

function parseNumbers(text: string): number[] {
  const values: unknown = JSON.parse(text);
  if (Array.isArray(values) && values.every(isNumber)) return values;
  throw new TypeError('A column holds what is no number');
}

const isNumber = (value: unknown): value is number => typeof value === 'number';
