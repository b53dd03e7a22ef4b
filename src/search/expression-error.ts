import { MlferryError } from '../util/errors.ts';

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
    `Search expression, ${place}: ${reason}\n  ${shown}\n  ${' '.repeat(left.length)}^`,
    hint === undefined ? {} : { hint },
  );
}

/** Control characters as a dot, so that a text cannot move the cursor of a terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '·');
}
