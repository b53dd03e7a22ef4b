/**
 * What a tracking server or its database takes of a run. Lengths in code points (MLflow measures `len()` of a Python str); from
 * mlflow/utils/validation.py of 2.9.2, 2.22.5, 3.1.4, 3.6.0 and 3.17.2.
 */
export interface TargetLimits {
  /** Key of a metric, param or tag. */
  readonly key: number;
  /** Whether keys may hold `:` (2.16 and newer, not on Windows). */
  readonly colon: boolean;
  readonly param: number;
  readonly tag: number;
  readonly experimentTag: number;
  readonly dataset: {
    readonly name: number;
    readonly digest: number;
    readonly source: number;
    readonly schema: number;
    readonly profile: number;
  };
  readonly inputTag: { readonly key: number; readonly value: number };
  /**
   * Limits of PostgreSQL and MySQL columns, which no MLflow checks and SQLite does not have: no NUL anywhere and
   * these lengths. `undefined` as long as the target has not refused anything.
   */
  readonly columns:
    | { readonly runName: number; readonly userId: number; readonly sourceType: number }
    | undefined;
  /** Nothing but lengths is checked: keys may hold any characters, a run may have no name, or another one than its tag tells. */
  readonly unchecked?: true;
}

/** Limits of an MLflow version (`2.9.2`); of an unknown one the strictest since 2.9. */
export function limitsOf(version: string | undefined): TargetLimits {
  const [major = 2, minor = 9] = (/^\d+\.\d+/.exec(version ?? '')?.[0] ?? '2.9').split('.').map(Number);
  const since = (wantedMajor: number, wantedMinor: number) =>
    major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
  return {
    key: 250,
    colon: since(2, 16),
    param: since(2, 8) ? 6000 : 500,
    tag: since(2, 17) ? 8000 : 5000,
    // Somewhere between 3.7 and 3.17; a server that allows less refuses the tag, and says so.
    experimentTag: since(3, 7) ? 20_000 : 5000,
    dataset: {
      name: 500,
      digest: 36,
      source: 65_535,
      schema: since(2, 15) ? 1_048_575 : 65_535,
      profile: 16_777_215,
    },
    inputTag: { key: 255, value: 500 },
    columns: undefined,
  };
}

/** The same limits for a target that turned out to have database columns of fixed length. */
export function withColumns(limits: TargetLimits): TargetLimits {
  return { ...limits, columns: { runName: 250, userId: 256, sourceType: 36 } };
}

// Python's \w is what str.isalnum() says, plus the underscore. MLflow's `$` lets one line end at the end through.
const KEY = /^[/\p{L}\p{N}_.\- ]*\n?$/u;
const KEY_WITH_COLON = /^[/\p{L}\p{N}_.\- :]*\n?$/u;

/** Whether the server takes a metric, param or tag of this key: its charset, its length, no path that would resolve to another. */
export function isKeyAllowed(key: string, limits: TargetLimits): boolean {
  if (limits.unchecked) return fits(key, limits.key) && allowedText(key, limits) === key;
  return (
    fits(key, limits.key) &&
    (limits.colon ? KEY_WITH_COLON : KEY).test(key) &&
    !key.startsWith('..') &&
    key.split('/').every((segment) => segment !== '' && segment !== '.' && segment !== '..')
  );
}

/** A text without what no server (lone surrogates) or no database with columns (NUL) can hold. */
export function allowedText(text: string, { columns }: TargetLimits): string {
  const wellFormed = text.toWellFormed();
  return columns === undefined ? wellFormed : wellFormed.replaceAll('\0', '\uFFFD');
}

/** Whether a text has at most `limit` code points. */
export function fits(text: string, limit: number): boolean {
  return text.length <= limit || prefixEnd(text, limit) === text.length;
}

/** The first `limit` code points. */
export function prefix(text: string, limit: number): string {
  return text.length <= limit ? text : text.slice(0, prefixEnd(text, limit));
}

/** Index (UTF-16) behind the first `limit` code points. */
function prefixEnd(text: string, limit: number): number {
  let end = 0;
  for (let count = 0; count < limit && end < text.length; count++)
    end += (text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1;
  return end;
}
