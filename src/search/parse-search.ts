import type { MlferryError } from '../util/errors.ts';
import { isoTime } from '../util/iso-time.ts';
import type {
  Aggregate,
  Comparison,
  ComparisonOperator,
  Expression,
  SearchKind,
  Subject,
} from './expression.ts';
import { expressionError } from './expression-error.ts';
import { pythonString } from './python-string.ts';
import { isTimeAttribute } from './search-kinds.ts';
import { isNumeric, resolveSubject } from './subjects.ts';
import { type Token, tokenize } from './tokens.ts';

/** Most parentheses and NOTs inside one another. */
export const MAX_DEPTH = 100;

const AGGREGATES: readonly Aggregate[] = ['MIN', 'MAX', 'LATEST', 'FIRST', 'COUNT'];
const OPERATORS: readonly ComparisonOperator[] = ['=', '!=', '<', '<=', '>', '>='];
const KEYWORDS = ['AND', 'OR', 'NOT', 'IN', 'IS', 'NULL', 'LIKE', 'ILIKE'];
const OTHER_OPERATORS: ReadonlyMap<string, string> = new Map([
  ['==', '='],
  ['<>', '!='],
  ['=>', '>='],
  ['=<', '<='],
]);

/**
 * The tree of a search expression for runs or experiments (docs/search-expressions.md): MLflow's own grammar, what
 * Databricks adds to it and what mlferry does. Undefined where nothing is asked for. Throws EXPRESSION with the
 * column, the line with a caret and what was expected there.
 */
export function parseSearch(text: string, kind: SearchKind): Expression | undefined {
  const parser = parserOf(text, kind);
  if (parser.isAtEnd()) return undefined;
  const expression = parser.either(0);
  parser.expectEnd();
  return expression;
}

/** The parser of one text: what it has read of the tokens is its only state. */
function parserOf(text: string, kind: SearchKind) {
  const tokens = withoutIdleAnds(tokenize(text));
  const last = tokens.at(-1);
  let next = 0;
  const peek = (ahead = 0): Token => {
    const token = tokens[next + ahead] ?? last;
    if (token === undefined) throw new Error('no tokens');
    return token;
  };
  const advance = (): Token => {
    const token = peek();
    next += 1;
    return token;
  };
  const accept = (...keywords: readonly string[]): boolean => {
    if (!keywords.every((keyword, ahead) => isKeyword(peek(ahead), keyword))) return false;
    next += keywords.length;
    return true;
  };
  const wrong = (token: Token, expected: string, hint?: string): MlferryError =>
    expressionError(text, token.start, `expected ${expected}, found ${found(token)}`, hint);

  const either = (depth: number): Expression => {
    const terms = [both(depth)];
    while (accept('OR')) terms.push(both(depth));
    return joined('or', terms);
  };

  // AND may be left out, as in MLflow.
  const both = (depth: number): Expression => {
    const terms = [term(depth)];
    while (accept('AND') || startsTerm(peek())) terms.push(term(depth));
    return joined('and', terms);
  };

  const term = (depth: number): Expression => {
    if (depth > MAX_DEPTH) {
      const reason = `more than ${MAX_DEPTH} parentheses or NOTs inside one another`;
      throw expressionError(text, peek().start, reason, 'Write it flatter.');
    }
    if (accept('NOT')) return { type: 'not', term: term(depth + 1) };
    if (peek().type !== '(') return comparison();
    const open = advance();
    const inner = either(depth + 1);
    if (peek().type !== ')') {
      const hint = `The ( in column ${open.start + 1} is not closed.`;
      throw wrong(peek(), 'AND, OR or )', hint);
    }
    advance();
    return inner;
  };

  const comparison = (): Comparison => {
    const position = peek().start;
    const subject = subjectAhead();
    const base = { type: 'comparison', subject, position } as const;
    if (accept('IS', 'NOT', 'NULL')) return { ...base, operator: 'IS NOT NULL' };
    if (accept('IS', 'NULL')) return { ...base, operator: 'IS NULL' };
    if (accept('NOT', 'IN')) return { ...base, operator: 'NOT IN', value: list(subject) };
    if (accept('IN')) return { ...base, operator: 'IN', value: list(subject) };
    if (accept('LIKE')) return { ...base, operator: 'LIKE', value: pattern(subject, 'LIKE') };
    if (accept('ILIKE')) return { ...base, operator: 'ILIKE', value: pattern(subject, 'ILIKE') };
    const operator = operatorAhead(subject);
    return { ...base, operator, value: isNumeric(subject) ? number(subject) : textValue(subject) };
  };

  const subjectAhead = (): Subject => {
    const token = advance();
    if (!isIdentifier(token)) {
      const hint =
        'A condition begins with what is compared: metrics.loss < 0.5, params.lr = "0.1", status = "FAILED".';
      throw wrong(token, 'a condition', hint);
    }
    const aggregate = AGGREGATES.find((name) => name === token.source.toUpperCase());
    if (aggregate !== undefined && peek().type === '(') return aggregated(aggregate);
    const resolved = resolveSubject(token.source, kind);
    if ('subject' in resolved) return resolved.subject;
    throw expressionError(text, token.start, resolved.reason, resolved.hint);
  };

  const aggregated = (aggregate: Aggregate): Subject => {
    advance();
    const token = advance();
    const resolved = isIdentifier(token) ? resolveSubject(token.source, kind) : undefined;
    if (resolved === undefined || !('subject' in resolved) || resolved.subject.entity !== 'metric') {
      throw wrong(token, `a metric in ${aggregate}(…)`, `Write ${aggregate}(metrics.name).`);
    }
    if (advance().type === ')') return { ...resolved.subject, aggregate };
    throw wrong(peek(-1), ')', `Write ${aggregate}(metrics.name).`);
  };

  const operatorAhead = (subject: Subject): ComparisonOperator => {
    const token = advance();
    const operator = OPERATORS.find((known) => known === token.source);
    const isOrder = operator !== undefined && operator !== '=' && operator !== '!=';
    if (operator !== undefined && (!isOrder || isNumeric(subject))) return operator;
    const meant = OTHER_OPERATORS.get(token.source);
    const hint =
      meant !== undefined
        ? `Write ${meant}.`
        : isKeyword(token, 'NOT')
          ? 'NOT stands before the whole condition: NOT params.a LIKE "x%".'
          : isNumeric(subject)
            ? 'Numbers are compared with =, !=, <, <=, > and >=.'
            : `The ${wordOf(subject)} is text: it is compared with =, !=, LIKE, ILIKE, IN, NOT IN, IS NULL.`;
    throw wrong(token, 'an operator', hint);
  };

  const number = (subject: Subject): number | bigint => {
    const token = advance();
    const time = token.type === 'text' && isTime(subject) ? isoTime(token.source.slice(1, -1)) : undefined;
    if (time !== undefined) return time;
    if (token.type !== 'number') {
      const hint = isTime(subject)
        ? "Write ms since 1970, or a time such as '2024-05-01' or '2024-05-01T12:00:00Z'."
        : token.type === 'text'
          ? 'Numbers stand without quotes.'
          : 'Write a number such as 0.5, -3 or 1e-4.';
      throw wrong(token, `a number to compare the ${wordOf(subject)} with`, hint);
    }
    const value = Number(token.source);
    const isWhole = subject.entity === 'attribute' && /^-?\d+$/.test(token.source);
    return isWhole && !Number.isSafeInteger(value) ? BigInt(token.source) : value;
  };

  const textValue = (subject: Subject): string => {
    const token = advance();
    if (token.type === 'text') return asCompared(subject, token.source.slice(1, -1));
    // Databricks' way: the param or tag is compared with the number as it is written.
    if (token.type === 'number' && takesBareNumbers(subject)) return token.source;
    const hint =
      token.source === '' ? 'Put the value in quotes.' : `Put it in quotes: '${bare(token.source)}'.`;
    throw wrong(token, `a quoted text to compare the ${wordOf(subject)} with`, hint);
  };

  const pattern = (subject: Subject, operator: string): string => {
    if (isNumeric(subject)) {
      const hint = 'Numbers are compared with =, !=, <, <=, > and >=.';
      throw expressionError(text, peek(-1).start, `${operator} is for text`, hint);
    }
    const token = advance();
    if (token.type === 'text') return token.source.slice(1, -1);
    throw wrong(token, `a quoted pattern after ${operator}`, 'Write it as in params.model LIKE "tree%".');
  };

  const list = (subject: Subject): string[] => {
    const hint = "A list is quoted texts in parentheses: IN ('a', 'b').";
    if (isNumeric(subject)) {
      throw expressionError(text, peek(-1).start, 'IN is for text', 'Join the numbers with OR.');
    }
    const open = advance();
    if (open.type !== '(') throw wrong(open, 'a ( and a list of texts', hint);
    const values: string[] = [];
    for (;;) {
      if (values.length > 0 && peek().type === ')') break;
      values.push(listValue(subject, hint));
      if (peek().type !== ',') break;
      advance();
    }
    if (peek().type !== ')') throw wrong(peek(), ', or )', hint);
    advance();
    return values;
  };

  const listValue = (subject: Subject, hint: string): string => {
    let value = '';
    const first = peek();
    if (first.type === 'number' && takesBareNumbers(subject)) return advance().source;
    while (peek().type === 'text') {
      const part = pythonString(peek().source);
      if (part === undefined) {
        const reason = 'this is no text as Python writes it, which is how MLflow reads a list';
        throw expressionError(text, peek().start, reason, 'Write a backslash as \\\\ and a line end as \\n.');
      }
      value += part;
      advance();
    }
    if (peek() === first) throw wrong(first, 'a quoted text', hint);
    return asCompared(subject, value);
  };

  return {
    isAtEnd: () => peek().type === 'end',
    either,
    expectEnd() {
      if (peek().type === 'end') return;
      const hint = peek().type === ')' ? 'There is no ( for this ).' : 'Join conditions with AND or OR.';
      throw wrong(peek(), 'AND, OR or the end', hint);
    },
  };
}

/** MLflow lets AND stand twice, at the beginning and at the end. */
function withoutIdleAnds(tokens: readonly Token[]): Token[] {
  const isAnd = (token: Token | undefined) => token !== undefined && isKeyword(token, 'AND');
  return tokens.filter((token, index) => {
    const following = tokens[index + 1];
    return !(isAnd(token) && (index === 0 || isAnd(tokens[index - 1]) || following?.type === 'end'));
  });
}

function joined(type: 'and' | 'or', terms: readonly Expression[]): Expression {
  const [only] = terms;
  return only !== undefined && terms.length === 1 ? only : { type, terms };
}

function isKeyword(token: Token, keyword: string): boolean {
  return token.type === 'identifier' && token.source.toUpperCase() === keyword;
}

function isIdentifier(token: Token): boolean {
  if (token.type === 'text') return token.source.startsWith('"');
  return token.type === 'identifier' && !KEYWORDS.includes(token.source.toUpperCase());
}

function startsTerm(token: Token): boolean {
  return token.type === '(' || isKeyword(token, 'NOT') || isIdentifier(token);
}

const BARE_NUMBERS: readonly string[] = ['param', 'tag', 'feedback', 'expectation'];

function takesBareNumbers({ entity, key }: Subject): boolean {
  return BARE_NUMBERS.includes(entity) || (entity === 'attribute' && key === 'experiment_id');
}

/** MLflow compares the ids of experiments as integers: `'007'` is `7`. */
function asCompared({ entity, key }: Subject, value: string): string {
  const isId = entity === 'attribute' && key === 'experiment_id' && /^\s*[+-]?\d+\s*$/.test(value);
  return isId ? BigInt(value.trim().replace(/^\+/, '')).toString() : value;
}

/** Whether a subject is compared with a time, which may be written as one. */
function isTime(subject: Subject): boolean {
  return subject.entity === 'attribute' && isTimeAttribute(subject.key);
}

/** How messages call a subject. */
function wordOf(subject: Subject): string {
  if (subject.entity === 'attribute') return `attribute ${subject.key}`;
  if (subject.entity === 'dataset') return `dataset ${subject.key}`;
  return subject.entity;
}

function found(token: Token): string {
  if (token.type === 'end') return 'the end';
  return token.source.length > 40 ? `${token.source.slice(0, 40)}…` : token.source;
}

function bare(source: string): string {
  return source.replace(/^[`'"]|[`'"]$/g, '');
}
