/** JSON for records and requests: the traps of `JSON.stringify`/`JSON.parse` that would change a value. */

declare global {
  interface JSON {
    /** ES2026, in Node since 21: text that stands in the output as it is. */
    rawJSON(text: string): unknown;
  }
}

/**
 * `JSON.stringify` that keeps -0. NaN and ±Infinity must already be strings (see metric-value.ts): a bare one is
 * a defect and throws, because `JSON.stringify` would make it `null`.
 */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (typeof item !== 'number') return item;
    if (!Number.isFinite(item)) throw new TypeError(`${item} cannot stand in JSON`);
    return Object.is(item, -0) ? JSON.rawJSON('-0') : item;
  });
}

/** An integer of 16 or more digits; the many digits of a fraction, common in metrics, need no slow parsing. */
const LONG_INTEGER = /(?:^|[:[,\s])-?\d{16,}(?![\d.eE])/;
const STRING_OR_NON_FINITE = /"(?:[^"\\]|\\.)*"|-?\b(?:NaN|Infinity)\b/g;

/**
 * `JSON.parse` for answers of an MLflow server: integers beyond 2^53 stay exact as decimal strings, and bare
 * `NaN`, `Infinity`, `-Infinity` (sent by get-history-bulk) become the strings MLflow uses elsewhere.
 * Throws SyntaxError.
 */
export function fromServerJson(text: string): unknown {
  try {
    return parseExact(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw tooDeep(error);
  }
  try {
    return parseExact(
      text.replace(STRING_OR_NON_FINITE, (token) => (token.startsWith('"') ? token : `"${token}"`)),
    );
  } catch (error) {
    throw tooDeep(error);
  }
}

/** The engine's stack ends at some 10,000 levels, or at a number or string of many million characters. */
function tooDeep(error: unknown): unknown {
  return error instanceof RangeError
    ? new SyntaxError('nested too deep, or too long a value', { cause: error })
    : error;
}

function parseExact(text: string): unknown {
  if (!LONG_INTEGER.test(text)) return JSON.parse(text);
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || Number.isSafeInteger(value) || context?.source === undefined)
      return value;
    return /^-?\d+$/.test(context.source) ? context.source : value;
  });
}
