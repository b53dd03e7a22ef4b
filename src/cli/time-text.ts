import type { Int64 } from '../model/int64.ts';

/** ISO 8601 in UTC, to the second. */
export function timeText(time: Int64): string {
  const date = new Date(Number(time));
  return Number.isNaN(date.getTime()) ? String(time) : `${date.toISOString().slice(0, 19)}Z`;
}

const UNITS = [
  ['second', 60],
  ['minute', 60],
  ['hour', 24],
  ['day', 30],
  ['month', 12],
  ['year', Number.POSITIVE_INFINITY],
] as const;

const english = new Intl.RelativeTimeFormat('en', { numeric: 'always', style: 'narrow' });

/** How long before or after `now` a time is, in its largest unit: `3d ago`. Both in ms since the epoch. */
export function relativeTime(time: number, now: number): string {
  let amount = (time - now) / 1000;
  for (const [unit, next] of UNITS) {
    if (Math.abs(amount) < next) return english.format(Math.round(amount), unit);
    amount /= next;
  }
  return '';
}
