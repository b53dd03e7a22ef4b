import { MlferryError } from '../util/errors.ts';
import { plainText } from '../util/plain-text.ts';

/** Most characters of the text shown on each side of the caret. */
const SHOWN = 60;

/**
 * The error for a text that is no search expression: the column (counted in characters from 1), what was expected
 * there, the line of the text and a caret below the place. `position` counts UTF-16 units from 0.
 */
export function expressionError(text: string, position: number, reason: string, hint?: string): MlferryError {
  const before = text.slice(0, position).split('\n');
  const line = text.split('\n')[before.length - 1] ?? '';
  const inLine = before.at(-1) ?? '';
  const column = [...inLine].length + 1;
  const place = before.length === 1 ? `column ${column}` : `line ${before.length}, column ${column}`;
  const left = [...inLine].slice(-SHOWN);
  const right = [...line.slice(inLine.length)].slice(0, SHOWN);
  const shown = printable([...left, ...right].join(''));
  return new MlferryError(
    'EXPRESSION',
    `Search expression, ${place}: ${plainText(reason)}\n  ${shown}\n  ${' '.repeat(left.length)}^`,
    hint === undefined ? {} : { hint: plainText(hint) },
  );
}

/** What must not reach a terminal as a dot each, so that the caret stays below its place. */
function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '·').toWellFormed();
}
