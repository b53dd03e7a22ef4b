import { InvalidArgumentError } from 'commander';
import { isoTime } from '../util/iso-time.ts';

const SECOND = 1000;
/** Units of an age, in ms. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ['m', 60 * SECOND],
  ['h', 3600 * SECOND],
  ['d', 86_400 * SECOND],
  ['w', 7 * 86_400 * SECOND],
]);

/** What help says of such an option. */
export const TIME_FORMS = 'ISO 8601, UTC unless it says; ms; or an age: 30m, 12h, 7d, 2w';

/**
 * The value of a time option in ms since the epoch: digits are ms, an age such as `7d` counts back from now, anything else is
 * ISO 8601 (`2024-05-01`, `2024-05-01T12:00:00Z`); what has no zone is UTC.
 */
export function parseTime(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const [, amount, unit = ''] = /^(\d{1,6})([mhdw])$/.exec(text) ?? [];
  const length = UNITS.get(unit);
  if (length !== undefined) return Date.now() - Number(amount) * length;
  const time = isoTime(text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError(
    'It is neither milliseconds nor an ISO 8601 time such as 2024-05-01T12:00:00Z nor an age such as 7d.',
  );
}
