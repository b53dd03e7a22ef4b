/** JSON whose numbers are not read, so that `1.0`, `1e5` and integers beyond 2^53 stay as they were written. */

/** A value of {@link parseExactJson}: numbers are opaque. */
export type ExactJson = unknown;

/** `JSON.parse` that keeps the text of each number. Throws SyntaxError, for NaN and Infinity too. */
export function parseExactJson(text: string): ExactJson {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) =>
    typeof value === 'number' && context?.source !== undefined ? JSON.rawJSON(context.source) : value,
  );
}

/** The text of a value without spaces, numbers as they were written. */
export function exactJson(value: ExactJson): string {
  return JSON.stringify(value);
}

/** The one text of JSON: like {@link exactJson}, with sorted keys. Throws SyntaxError. */
export function canonicalJson(text: string): string {
  return canonical(parseExactJson(text));
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

function canonical(value: ExactJson): string {
  return JSON.stringify(value, (_key, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item) && !JSON.isRawJSON(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item,
  );
}
