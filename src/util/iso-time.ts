const ISO = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?)?$/;

/**
 * An ISO 8601 time (`2024-05-01`, `2024-05-01T12:00:00Z`) in ms since the epoch; what has no zone is UTC, a date alone is its
 * beginning. `undefined` for anything else.
 */
export function isoTime(text: string): number | undefined {
  if (!ISO.test(text)) return undefined;
  const hasZone = /T.*(?:Z|[+-]\d\d:\d\d)$/.test(text);
  const time = Date.parse(hasZone || !text.includes('T') ? text : `${text}Z`);
  return Number.isNaN(time) || isRolledOver(text) ? undefined : time;
}

/** `Date.parse` takes the 31st of February for the 2nd of March. */
function isRolledOver(text: string): boolean {
  const day = text.slice(0, 10);
  return new Date(day).toISOString().slice(0, 10) !== day;
}
