/**
 * JSON as Python's `json` writes and reads it, without what `JSON.parse` loses: the spelling of numbers (1 is an int, 1.0 a
 * float, and integers have no limit), NaN and ±Infinity as bare words, and the order of keys.
 */
export type TypedJson = null | boolean | string | JsonNumber | TypedJson[] | Map<string, TypedJson>;

/** A number as it is spelt. */
export interface JsonNumber {
  readonly number: string;
}

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|NaN|-?Infinity/y;
const SPACES = /[ \t\r\n]*/y;
const WORDS: ReadonlyArray<readonly [string, null | boolean]> = [
  ['null', null],
  ['true', true],
  ['false', false],
];

/** Reads one value. Throws SyntaxError, also where it is nested too deep for the engine's stack. */
export function parseTypedJson(text: string): TypedJson {
  let at = 0;

  const fail = (): never => {
    throw new SyntaxError(`no JSON at character ${at}`);
  };
  const space = () => {
    SPACES.lastIndex = at;
    at += SPACES.exec(text)?.[0].length ?? 0;
  };
  const takes = (mark: string) => {
    if (text[at] !== mark) return false;
    at += 1;
    space();
    return true;
  };

  function quoted(): string {
    const start = at;
    let end = at;
    let escapes: number;
    do {
      end = text.indexOf('"', end + 1);
      if (end === -1) return fail();
      for (escapes = 0; text[end - 1 - escapes] === '\\'; ) escapes += 1;
    } while (escapes % 2 === 1);
    at = end + 1;
    const value: unknown = JSON.parse(text.slice(start, at));
    space();
    return typeof value === 'string' ? value : fail();
  }

  function list(): TypedJson[] {
    const items: TypedJson[] = [];
    if (takes(']')) return items;
    do items.push(value());
    while (takes(','));
    return takes(']') ? items : fail();
  }

  function map(): Map<string, TypedJson> {
    const entries = new Map<string, TypedJson>();
    if (takes('}')) return entries;
    do {
      const key = text[at] === '"' ? quoted() : fail();
      if (!takes(':')) fail();
      entries.set(key, value());
    } while (takes(','));
    return takes('}') ? entries : fail();
  }

  function value(): TypedJson {
    if (text[at] === '"') return quoted();
    if (takes('[')) return list();
    if (takes('{')) return map();
    const word = WORDS.find(([spelt]) => text.startsWith(spelt, at));
    if (word !== undefined) {
      at += word[0].length;
      space();
      return word[1];
    }
    NUMBER.lastIndex = at;
    const number = NUMBER.exec(text)?.[0] ?? fail();
    at += number.length;
    space();
    return { number };
  }

  try {
    space();
    const parsed = value();
    return at === text.length ? parsed : fail();
  } catch (error) {
    if (error instanceof RangeError) throw new SyntaxError('nested too deep', { cause: error });
    throw error;
  }
}

/** The text that Python's `json.dumps(…, ensure_ascii=False)` makes of a value. */
export function printTypedJson(value: TypedJson): string {
  if (value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printTypedJson).join(', ')}]`;
  if (isMap(value))
    return `{${[...value].map(([key, item]) => `${JSON.stringify(key)}: ${printTypedJson(item)}`).join(', ')}}`;
  return value.number;
}

/** The one text of a JSON text: keys sorted, numbers as they are spelt. Throws SyntaxError. */
export function canonicalJson(text: string): string {
  return printTypedJson(sorted(parseTypedJson(text)));
}

function sorted(value: TypedJson): TypedJson {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== 'object' || !isMap(value)) return value;
  const entries = [...value].map(([key, item]): [string, TypedJson] => [key, sorted(item)]);
  return new Map(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Whether two texts are the same JSON, whatever the order of keys; of texts that are none, whether they are the same. */
export function isSameJson(a: string, b: string): boolean {
  if (a === b) return true;
  try {
    return canonicalJson(a) === canonicalJson(b);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Whether a value is an object; else, of what is no list, text, word, it is a number. */
export function isMap(value: TypedJson): value is Map<string, TypedJson> {
  return value instanceof Map;
}

/** Whether a value is a number. */
export function isNumber(value: TypedJson | undefined): value is JsonNumber {
  return typeof value === 'object' && value !== null && 'number' in value;
}

/** A double as Python's `repr` spells it; NaN and the infinities as its `json` does. */
export function pythonNumber(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? 'Infinity' : '-Infinity';
  if (Object.is(value, -0)) return '-0.0';
  const [mantissa = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= 16 || power < -4) {
    const digits = String(Math.abs(power)).padStart(2, '0');
    return `${mantissa}e${power < 0 ? '-' : '+'}${digits}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
