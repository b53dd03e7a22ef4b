import { expressionError } from './expression-error.ts';

/** A piece of the text of an expression. `start` and `end` count UTF-16 units from 0. */
export interface Token {
  /**
   * `identifier`: words and quoted parts joined by dots, keywords too; `text`: a quoted literal, which may be a
   * double-quoted identifier as well.
   */
  readonly type: 'identifier' | 'number' | 'text' | 'operator' | '(' | ')' | ',' | 'end';
  readonly source: string;
  readonly start: number;
  readonly end: number;
}

// Python counts some control characters as white space that JavaScript does not.
const SPACE = /[\s\p{Cc}]+/uy;
const NUMBER = /-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const OPERATOR = /[<>=~!]+/y;
const WORD = /[\p{L}\p{M}\p{N}_$#]+/uy;

/** The tokens of a text, an `end` last. Throws EXPRESSION at a character that starts none. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let position = matchEnd(SPACE, text, 0);
  while (position < text.length) {
    const [type, end] = nextToken(text, position);
    tokens.push({ type, source: text.slice(position, end), start: position, end });
    position = matchEnd(SPACE, text, end);
  }
  tokens.push({ type: 'end', source: '', start: text.length, end: text.length });
  return tokens;
}

function nextToken(text: string, start: number): readonly [Token['type'], number] {
  const character = text[start] ?? '';
  if (character === '(' || character === ')' || character === ',') return [character, start + 1];
  if (character === "'") return ['text', closedQuote(text, start)];
  const number = matchEnd(NUMBER, text, start);
  const operator = matchEnd(OPERATOR, text, start);
  if (operator > start) return ['operator', operator];
  const identifier = identifierEnd(text, start);
  // `1a` is a word, as in MLflow; `1.5` and `1e5` are numbers although words begin with digits too.
  if (number > start && number >= identifier) return ['number', number];
  if (identifier === start) throw unexpectedCharacter(text, start);
  const isQuoted = character === '"' && closedQuote(text, start) === identifier;
  return [isQuoted ? 'text' : 'identifier', identifier];
}

/** Words and quoted parts with dots between; a part may be empty, as in `metrics..a`. */
function identifierEnd(text: string, start: number): number {
  let position = partEnd(text, start, false);
  while (position > start && text[position] === '.') position = partEnd(text, position + 1, true);
  return position;
}

/** A single quote opens a part of a key only after a dot: elsewhere it begins a literal. */
function partEnd(text: string, start: number, isAfterDot: boolean): number {
  const character = text[start] ?? '';
  const opens = character === '`' || character === '"' || (character === "'" && isAfterDot);
  return opens ? closedQuote(text, start) : matchEnd(WORD, text, start);
}

function closedQuote(text: string, start: number): number {
  const end = quoteEnd(text, start);
  if (end !== undefined) return end;
  const quote = text[start] ?? '';
  throw expressionError(text, start, `this ${quote} is never closed`, `Add the closing ${quote}.`);
}

/**
 * The place behind a quoted part. As in MLflow's own lexer (sqlparse) a doubled quote and, outside backticks, a
 * quote after a backslash do not close it, unless none further on would: nothing is unescaped, the quotes stay in
 * the value.
 */
export function quoteEnd(text: string, start: number): number | undefined {
  const quote = text[start];
  const hasBackslash = quote !== '`';
  let lastResort: number | undefined;
  let position = start + 1;
  while (position < text.length) {
    const character = text[position];
    const next = text[position + 1];
    if (character === quote && next !== quote) return position + 1;
    if (character === quote) lastResort = position + 1;
    const isBackslashed = hasBackslash && character === '\\' && next === quote;
    if (isBackslashed) lastResort = position + 2;
    position += character === quote || isBackslashed ? 2 : 1;
  }
  return lastResort;
}

function matchEnd(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(text) ? pattern.lastIndex : start;
}

function unexpectedCharacter(text: string, start: number) {
  const character = String.fromCodePoint(text.codePointAt(start) ?? 0);
  const hint =
    character === ';'
      ? 'An expression is one statement: join conditions with AND or OR.'
      : 'A key with other characters than letters, digits, _ and . stands in backticks: metrics.`a-b`.';
  return expressionError(text, start, `${JSON.stringify(character)} cannot stand here`, hint);
}
