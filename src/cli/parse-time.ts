import { InvalidArgumentError } from 'commander';

const ISO = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * The value of a time option in ms since the epoch: digits are ms, anything else is ISO 8601 (`2024-05-01`,
 * `2024-05-01T12:00:00Z`); what has no zone is UTC.
 */
export function parseTime(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  if (ISO.test(text)) {
    const zoned = /T.*(Z|[+-]\d\d:\d\d)$/.test(text) || !text.includes('T') ? text : `${text}Z`;
    const time = Date.parse(zoned);
    if (!Number.isNaN(time)) return time;
  }
  throw new InvalidArgumentError(
    'It is neither milliseconds nor an ISO 8601 time such as 2024-05-01T12:00:00Z.',
  );
}
