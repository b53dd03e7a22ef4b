/**
 * Which steps of some histories are shown where there are too many: evenly spaced ones of all that there are, the last one, and the
 * least and greatest of each history, as MLflow chooses them (mlflow/store/tracking/abstract_store.py). Without a range it begins
 * with step 0.
 */
export function sampledSteps(
  histories: readonly (readonly number[])[],
  most: number,
  range?: { readonly start_step: number; readonly end_step: number },
): ReadonlySet<number> {
  const all = [...new Set(histories.flat())].sort((a, b) => a - b);
  const { start_step, end_step } = range ?? { start_step: 0, end_step: all.at(-1) ?? 0 };
  const isIn = (step: number) => step >= start_step && step <= end_step;
  const ends = histories.flatMap((steps) => (steps.length === 0 ? [] : [leastOf(steps), greatestOf(steps)]));
  const within = all.filter(isIn);
  return new Set([...evenFractions(within, most), ...ends.filter(isIn)]);
}

const leastOf = (steps: readonly number[]) => steps.reduce((least, step) => Math.min(least, step));
const greatestOf = (steps: readonly number[]) => steps.reduce((greatest, step) => Math.max(greatest, step));

function evenFractions(steps: readonly number[], most: number): readonly number[] {
  if (steps.length <= most) return steps;
  const interval = steps.length / most;
  const chosen = Array.from({ length: most }, (_, index) => steps[Math.trunc(index * interval)]);
  return [...chosen, steps.at(-1)].filter((step) => step !== undefined);
}

/** At most so many items of a list, evenly spaced, the first and the last among them. */
export function evenlySpaced<T>(items: readonly T[], most: number): readonly T[] {
  if (items.length <= most) return items;
  if (most === 1) return items.slice(-1);
  const step = (items.length - 1) / (most - 1);
  const indexes = new Set(Array.from({ length: most }, (_, index) => Math.round(index * step)));
  return items.filter((_, index) => indexes.has(index));
}
