import type { Run } from '../model/records.ts';

/** How long a run took, in ms; `null` while it goes on, and where a time is not known. */
export function durationOf({ start_time, end_time }: Pick<Run, 'start_time' | 'end_time'>): number | null {
  return start_time === null || end_time === null ? null : Number(end_time) - Number(start_time);
}
