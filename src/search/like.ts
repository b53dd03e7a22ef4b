/**
 * Whether the whole text matches a pattern of LIKE: `%` is any characters, also none and line ends, `_` exactly one,
 * everything else itself; nothing escapes them. This is SQLite's LIKE as MLflow uses it. Takes at most
 * |text| × |pattern| steps.
 */
export function matchesLike(text: string, pattern: string): boolean {
  const characters = [...text];
  const wanted = [...pattern];
  let at = 0;
  let inPattern = 0;
  // Where to go on when what follows the last % does not fit: one character later.
  let retryAt = -1;
  let retryInPattern = -1;
  while (at < characters.length) {
    if (wanted[inPattern] === '%') {
      inPattern += 1;
      retryAt = at;
      retryInPattern = inPattern;
    } else if (wanted[inPattern] === '_' || wanted[inPattern] === characters[at]) {
      at += 1;
      inPattern += 1;
    } else if (retryInPattern >= 0) {
      retryAt += 1;
      at = retryAt;
      inPattern = retryInPattern;
    } else {
      return false;
    }
  }
  return wanted.slice(inPattern).every((character) => character === '%');
}

/** ILIKE: as LIKE, with A-Z equal to a-z. Other letters keep their case, as in SQLite's `lower`. */
export function matchesIlike(text: string, pattern: string): boolean {
  return matchesLike(asciiLower(text), asciiLower(pattern));
}

function asciiLower(text: string): string {
  return text.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
