import type { LossCode } from '../../../model/findings.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { allowedText, fits, prefix } from '../../../model/mlflow/limits.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Store } from '../read/store.ts';
import { databaseLimits } from './limits.ts';

/** Reduces an object to what the columns of a database hold, and takes down what it loses. */
export interface TextFitter {
  readonly losses: readonly RunLoss[];
  lost(code: LossCode, key: string, why: string): void;
  /** A text as a column holds it: cut, characters replaced. `key`: what it is called in a loss. */
  text(table: string, column: string, key: string, value: string): string;
  /** The same; `undefined` for none and for an empty one, which MLflow tells apart nowhere. */
  optional(table: string, column: string, key: string, value: string | undefined): string | undefined;
  /** Whether a column holds a text as it is. */
  holds(table: string, column: string, value: string): boolean;
  /** A map as a table of keys and values holds it: entries whose keys it does not hold are left out. */
  map(table: string, columns: { readonly key: string; readonly value: string }, map: StringMap): StringMap;
}

/** See {@link TextFitter}. `words`: what the object is called in a loss. */
export function textFitter(store: Pick<Store, 'database' | 'tables'>, words: string): TextFitter {
  const losses: RunLoss[] = [];
  const limits = databaseLimits(store);
  const lost = (code: LossCode, key: string, why: string) =>
    void losses.push({
      ...{ code, left_behind: true, key },
      detail: `the database cannot hold this of the ${words}: ${why}`,
    });
  const holds = (table: string, column: string, value: string) =>
    fits(value, store.tables.length(table, column)) && allowedText(value, limits) === value;
  const cut = (table: string, column: string, key: string, value: string, tooLong: LossCode) => {
    const allowed = allowedText(value, limits);
    if (allowed !== value) lost('VALUE_NOT_ALLOWED', key, 'some of its characters, which were replaced');
    const longest = store.tables.length(table, column);
    if (fits(allowed, longest)) return allowed;
    lost(tooLong, key, `it is longer than ${longest} characters and was cut`);
    return prefix(allowed, longest);
  };
  const text = (table: string, column: string, key: string, value: string) =>
    cut(table, column, key, value, 'VALUE_NOT_ALLOWED');
  return {
    losses,
    lost,
    text,
    optional: (table, column, key, value) => (value ? text(table, column, key, value) : undefined),
    holds,
    map: (table, columns, map) =>
      Object.fromEntries(
        Object.entries(map).flatMap(([key, value]) => {
          if (holds(table, columns.key, key))
            return [[key, cut(table, columns.value, key, value, 'TAG_TOO_LONG')]];
          lost('KEY_NOT_ALLOWED', key, 'its key');
          return [];
        }),
      ),
  };
}
