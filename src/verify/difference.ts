import type { FirstDifference } from './point-balance.ts';

/** A value of one side: null where that side has none. Long texts are cut to the part that differs. */
export type Shown = string | number | null;

/** One field that is not the same. */
export interface Difference {
  /** `status`, `params.lr`, `tags.x`, `metrics.loss`, `dataset_inputs.train.source`, `artifacts model/weights.bin sha256`. */
  readonly field: string;
  readonly source: Shown;
  readonly target: Shown;
  /** Of a metric: how many points only one side has, and the first of them. */
  readonly points?: {
    readonly only_in_source: number;
    readonly only_in_target: number;
    readonly first: FirstDifference;
  };
}

const MOST_CHARACTERS = 200;
const BEFORE = 20;

/** The difference of a field with two values, `undefined` being none; nothing when they are the same. */
export function differenceOf(
  field: string,
  source: string | number | null | undefined,
  target: string | number | null | undefined,
): Difference[] {
  if ((source ?? null) === (target ?? null)) return [];
  const from = typeof source === 'string' && typeof target === 'string' ? firstDifference(source, target) : 0;
  return [{ field, source: excerpt(source, from), target: excerpt(target, from) }];
}

/** The differences of two maps, keys in code-unit order; `prefix` stands before the key. */
export function mapDifferences(
  prefix: string,
  source: Readonly<Record<string, string>>,
  target: Readonly<Record<string, string>>,
): Difference[] {
  const [left, right] = [new Map(Object.entries(source)), new Map(Object.entries(target))];
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort();
  return keys.flatMap((key) => differenceOf(`${prefix}${key}`, left.get(key), right.get(key)));
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  return at;
}

/** At most 200 characters, from shortly before the first one that differs. */
function excerpt(value: string | number | null | undefined, differsAt: number): Shown {
  if (typeof value !== 'string') return value ?? null;
  if (value.length <= MOST_CHARACTERS) return value;
  const start = differsAt > MOST_CHARACTERS - BEFORE ? differsAt - BEFORE : 0;
  const end = Math.min(value.length, start + MOST_CHARACTERS);
  return `${start > 0 ? '…' : ''}${value.slice(start, end)}${end < value.length ? '…' : ''}`.toWellFormed();
}
