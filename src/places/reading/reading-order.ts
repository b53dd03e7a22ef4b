import { compareInt64 } from '../../model/int64.ts';
import type { Experiment, Run } from '../../model/records.ts';

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

type Started = Pick<Run, 'run_id' | 'start_time'>;

function byId(a: string, b: string): number {
  const digits = /^\d{1,30}$/;
  if (!digits.test(a) || !digits.test(b))
    return Number(digits.test(b)) - Number(digits.test(a)) || byText(a, b);
  const [left, right] = [BigInt(a), BigInt(b)];
  return left < right ? -1 : left > right ? 1 : byText(a, b);
}

/** Order of experiments: creation, then id; one without a time stands first. */
export const byCreation = (a: Experiment, b: Experiment) =>
  compareInt64(a.creation_time ?? 0, b.creation_time ?? 0) || byId(a.experiment_id, b.experiment_id);

/** Order of runs: start, then id. */
export const byStart = (a: Started, b: Started) =>
  compareInt64(a.start_time ?? 0, b.start_time ?? 0) || byText(a.run_id, b.run_id);
