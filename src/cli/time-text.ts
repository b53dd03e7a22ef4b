import type { Int64 } from '../model/int64.ts';

/** ISO 8601 in UTC, to the second. */
export function timeText(time: Int64): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : `${date.toISOString().slice(0, 19)}Z`;
}
