// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what the servers alter
const ALTERED = /%[0-9a-f]{2}|#|[\u0000-\u001f\u007f]|[?;](?:\/|$)/i;
/** What looks like the scheme of a URL loses its capitals. */
const SCHEME = /^[a-z+.-]*[A-Z][A-Za-z0-9+.-]*:/;

/**
 * Whether a server refuses an artifact's path or takes it for another, when it is read and when it is written. Servers
 * decode the path until it does not change any more, so `%41.txt` becomes `A.txt` and `per%cent` gets a replacement
 * character, and take it for a URL, so that a directory `a?` cannot be listed; `#` is refused, control characters are
 * refused, dropped or encoded, depending on the version (tried with 2.9.2, 2.22.5, 3.1.4, 3.17.2; since 2.22 a file with
 * control characters is not found).
 */
export function isAlteredPath(path: string): boolean {
  return ALTERED.test(path) || SCHEME.test(path);
}
