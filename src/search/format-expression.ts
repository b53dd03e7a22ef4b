import { MlferryError } from '../util/errors.ts';
import type { Comparison, Expression, Order, Subject } from './expression.ts';
import { pythonLiteral } from './python-string.ts';
import { quoteEnd } from './tokens.ts';

const PREFIXES = {
  metric: 'metrics',
  param: 'params',
  tag: 'tags',
  dataset: 'dataset',
  metadata: 'metadata',
  feedback: 'feedback',
  expectation: 'expectation',
} as const;

/**
 * The text of an expression, such that `parseSearch` makes the same tree of it. Without OR, NOT, parentheses and
 * aggregates in it, it is a text that MLflow reads the same way. Throws EXPRESSION for a key or value that no text
 * can hold.
 */
export function formatExpression(expression: Expression): string {
  switch (expression.type) {
    case 'and':
    case 'or':
      return expression.terms.map(formatTerm).join(expression.type === 'and' ? ' AND ' : ' OR ');
    case 'not':
      return `NOT (${formatExpression(expression.term)})`;
    default:
      return formatComparison(expression);
  }
}

/** A term of AND or OR: a tree below another is in parentheses, so that its shape stays. */
function formatTerm(term: Expression): string {
  const text = formatExpression(term);
  return term.type === 'and' || term.type === 'or' ? `(${text})` : text;
}

/** One condition as text. Throws as {@link formatExpression}. */
export function formatComparison(comparison: Comparison): string {
  const subject = formatSubject(comparison.subject);
  switch (comparison.operator) {
    case 'IS NULL':
    case 'IS NOT NULL':
      return `${subject} ${comparison.operator}`;
    case 'IN':
    case 'NOT IN':
      return `${subject} ${comparison.operator} (${comparison.value.map(pythonLiteral).join(', ')})`;
    default:
      return `${subject} ${comparison.operator} ${formatValue(comparison.value)}`;
  }
}

/** What is compared, as text: `metrics.loss`, ``tags.`my tag` ``, `MIN(metrics.loss)`, `start_time`. */
export function formatSubject(subject: Subject): string {
  if (subject.entity === 'attribute') return subject.key;
  const text = `${PREFIXES[subject.entity]}.${formatKey(subject.key)}`;
  return subject.entity === 'metric' && subject.aggregate !== undefined
    ? `${subject.aggregate}(${text})`
    : text;
}

/** A column of an order as text. */
export function formatOrder({ subject, direction }: Order): string {
  return `${formatSubject(subject)} ${direction}`;
}

/** Words that MLflow's parser (sqlparse) takes for keywords even in a key. */
const KEYWORDS = /(?:^|\.)(?:case|in|values|using|from|as)(?:\.|$)/i;

function formatKey(key: string): string {
  if (/^[A-Za-z]\w*(?:\.[A-Za-z]\w*)*$/.test(key) && !KEYWORDS.test(key)) return key;
  const quote = ['`', '"', "'"].find((mark) => staysQuoted(key, mark) && !hasQuotesInside(key, mark));
  if (quote === undefined) throw inexpressible('key', key);
  return `${quote}${key}${quote}`;
}

/** MLflow takes backticks off after other quotes: a key that has some at both ends loses them. */
function hasQuotesInside(key: string, quote: string): boolean {
  return quote !== '`' && key.length >= 2 && key.startsWith('`') && key.endsWith('`');
}

function formatValue(value: number | bigint | string): string {
  if (value === Number.POSITIVE_INFINITY) return '1e400';
  if (value === Number.NEGATIVE_INFINITY) return '-1e400';
  // MLflow knows no + in an exponent.
  if (typeof value !== 'string') return String(value).replace('e+', 'e');
  const quote = ["'", '"'].find((mark) => staysQuoted(value, mark));
  if (quote === undefined) throw inexpressible('value', value);
  return `${quote}${value}${quote}`;
}

/** Whether a text in these quotes ends where it should, whatever comes after it. */
function staysQuoted(text: string, quote: string): boolean {
  const quoted = `${quote}${text}${quote}`;
  return (
    !text.endsWith('\\') &&
    quoteEnd(quoted, 0) === quoted.length &&
    quoteEnd(`${quoted} ${quote}`, 0) === quoted.length
  );
}

function inexpressible(what: string, text: string): MlferryError {
  return new MlferryError('EXPRESSION', `No expression can hold the ${what} ${JSON.stringify(text)}`, {
    hint: 'MLflow has no way to escape a quote in a text that has both kinds.',
  });
}
