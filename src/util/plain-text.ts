/** C0, DEL, C1, line and paragraph separators, and what reverses the direction of text. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not reach a terminal
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g;

/** Text from outside on one line, as long as it is: what no terminal should be sent is shown as `\ufffd`. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (run) => '\ufffd'.repeat(run.length)).toWellFormed();
}

/**
 * Text from outside as one line for a terminal: nothing in it moves the cursor, changes colours or begins a line, and
 * beyond `most` characters it is cut.
 */
export function plainText(text: string, most = 2000): string {
  const cut = text.length > most ? `${text.slice(0, most)}…` : text;
  return cut.replace(UNPRINTABLE, ' ').toWellFormed();
}
