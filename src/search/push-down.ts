import type { Dialect } from './dialects.ts';
import type { Comparison, Expression, Order, Subject } from './expression.ts';

/** An expression split between a server and us. */
export interface PushDown {
  /** What the server is asked, in its dialect; undefined when nothing can be pushed. Never excludes a run that matches. */
  readonly filter: string | undefined;
  /** What the server does not see. */
  readonly rest: Expression | undefined;
  /** What is judged here of the runs that come back: all but the aggregates that the server has judged. */
  readonly recheck: Expression | undefined;
}

/**
 * The largest part of an expression that a server understands. Its runs are a superset of those that match, so the
 * records that come back are judged again here, in one meaning for all places; only aggregates the server has
 * judged are not, because their histories would have to be read.
 */
export function pushDown(expression: Expression | undefined, dialect: Dialect): PushDown {
  const pushed: string[] = [];
  const rest: Expression[] = [];
  const recheck: Expression[] = [];
  for (const term of conjuncts(expression)) {
    const text = term.type === 'comparison' ? comparisonText(term, dialect) : undefined;
    if (text === undefined) rest.push(term);
    else pushed.push(text);
    if (text === undefined || !isAggregate(term)) recheck.push(term);
  }
  return {
    filter: pushed.length === 0 ? undefined : pushed.join(' AND '),
    rest: conjunction(rest),
    recheck: conjunction(recheck),
  };
}

/**
 * The server's words for an order, or undefined where it may sort otherwise than we do: texts follow the collation of
 * the database, so only metrics and times are left to it.
 */
export function pushOrder(order: readonly Order[], dialect: Dialect): string[] | undefined {
  if (!dialect.sorts) return undefined;
  const columns: string[] = [];
  for (const { subject, direction } of order) {
    const isTime = subject.entity === 'attribute' && TIMES.includes(subject.key);
    const isMetric =
      subject.entity === 'metric' && (subject.aggregate === undefined || subject.aggregate === 'LATEST');
    const name = isTime || isMetric ? subjectText(subject, dialect) : undefined;
    if (name === undefined || columns.some((column) => column.startsWith(`${name} `))) return undefined;
    columns.push(`${name} ${direction}`);
  }
  return columns;
}

const TIMES = ['start_time', 'end_time'];
const TEXT_ATTRIBUTES = ['run_id', 'user_id', 'status', 'artifact_uri'];
/** Attributes that every run has, so that `NOT a = b` is `a != b`. */
const ALWAYS_SET = ['run_id', 'status'];
const OPPOSITES: ReadonlyMap<Comparison['operator'], Comparison['operator']> = new Map([
  ['=', '!='],
  ['!=', '='],
  ['IN', 'NOT IN'],
  ['NOT IN', 'IN'],
  ['IS NULL', 'IS NOT NULL'],
  ['IS NOT NULL', 'IS NULL'],
]);

/** The terms that must all hold, with NOT moved inwards where that is exact. */
function conjuncts(expression: Expression | undefined): Expression[] {
  if (expression === undefined) return [];
  if (expression.type === 'and') return expression.terms.flatMap(conjuncts);
  if (expression.type !== 'not') return [expression];
  const { term } = expression;
  if (term.type === 'not') return conjuncts(term.term);
  if (term.type === 'or') return term.terms.flatMap((inner) => conjuncts({ type: 'not', term: inner }));
  return [term.type === 'comparison' ? (negated(term) ?? expression) : expression];
}

/** The comparison that holds exactly where this one does not. A missing key satisfies neither = nor !=. */
function negated(comparison: Comparison): Comparison | undefined {
  const { entity, key } = comparison.subject;
  const isNullTest = comparison.operator === 'IS NULL' || comparison.operator === 'IS NOT NULL';
  const isAlwaysSet = entity === 'attribute' && ALWAYS_SET.includes(key);
  if (!isAlwaysSet && !(isNullTest && (entity === 'param' || entity === 'tag'))) return undefined;
  const operator = OPPOSITES.get(comparison.operator);
  if (operator === undefined) return undefined;
  if (isNullTest) {
    return { ...comparison, operator: operator === 'IS NULL' ? 'IS NULL' : 'IS NOT NULL' };
  }
  if (comparison.operator === 'IN' || comparison.operator === 'NOT IN')
    return { ...comparison, operator: operator === 'IN' ? 'IN' : 'NOT IN' };
  if (comparison.operator === '=' || comparison.operator === '!=')
    return { ...comparison, operator: operator === '=' ? '=' : '!=' };
  return undefined;
}

function conjunction(terms: readonly Expression[]): Expression | undefined {
  const [only] = terms;
  return only === undefined || terms.length === 1 ? only : { type: 'and', terms };
}

function isAggregate(term: Expression): boolean {
  if (term.type !== 'comparison' || term.subject.entity !== 'metric') return false;
  return term.subject.aggregate !== undefined && term.subject.aggregate !== 'LATEST';
}

function comparisonText(comparison: Comparison, dialect: Dialect): string | undefined {
  const subject = subjectText(comparison.subject, dialect);
  const value = valueText(comparison, dialect);
  if (subject === undefined || value === undefined) return undefined;
  return value === '' ? `${subject} ${comparison.operator}` : `${subject} ${comparison.operator} ${value}`;
}

function subjectText(subject: Subject, dialect: Dialect): string | undefined {
  switch (subject.entity) {
    case 'metric': {
      const name = keyText('metrics', subject.key);
      const { aggregate } = subject;
      if (name === undefined || aggregate === undefined) return name;
      if (dialect.aggregates.includes(aggregate)) return `${aggregate}(${name})`;
      return aggregate === 'LATEST' ? name : undefined;
    }
    case 'param':
      return keyText('params', subject.key);
    case 'tag':
      return keyText('tags', subject.key);
    case 'dataset':
      return dialect.datasets ? `datasets.${subject.key}` : undefined;
    case 'attribute':
      // This is how an SQL store finds a run name, and what a run's name is here.
      if (subject.key === 'run_name') return keyText('tags', 'mlflow.runName');
      return TIMES.includes(subject.key) || TEXT_ATTRIBUTES.includes(subject.key)
        ? `attributes.${subject.key}`
        : undefined;
  }
}

/** `metrics.loss`, or the key in backticks. A backtick cannot be escaped in them. */
function keyText(entity: string, key: string): string | undefined {
  if (/^[A-Za-z]\w*$/.test(key)) return `${entity}.${key}`;
  return key === '' || key.includes('`') || key.includes('\0') ? undefined : `${entity}.\`${key}\``;
}

/** The right side; empty for IS NULL; undefined when the dialect cannot say it, or not with our meaning. */
function valueText(comparison: Comparison, dialect: Dialect): string | undefined {
  const { subject, operator } = comparison;
  switch (comparison.operator) {
    case 'IS NULL':
    case 'IS NOT NULL':
      return dialect.nullTests && (subject.entity === 'param' || subject.entity === 'tag') ? '' : undefined;
    case 'IN':
    case 'NOT IN':
      return isListed(subject) && dialect.lists ? listText(comparison.value) : undefined;
    case 'LIKE':
    case 'ILIKE':
      return dialect.patterns ? patternText(comparison.value, operator === 'ILIKE') : undefined;
    default:
      return typeof comparison.value === 'string'
        ? quoted(comparison.value)
        : numberText(comparison.value, comparison, dialect);
  }
}

function isListed(subject: Subject): boolean {
  return subject.entity === 'dataset' || (subject.entity === 'attribute' && subject.key === 'run_id');
}

/** Most texts in a list: a database takes only so many values in one statement. */
const MOST_LISTED = 500;

/**
 * MLflow reads a list as Python does, with its backslashes, and drops whatever has capitals or no letter (a way around
 * MySQL, all versions before 3.7 at least).
 */
function listText(values: readonly string[]): string | undefined {
  if (values.length === 0 || values.length > MOST_LISTED) return undefined;
  const isPlain = values.every((value) => /^[a-z0-9_.: /-]*$/.test(value) && /[a-z]/.test(value));
  return isPlain ? `(${values.map((value) => `'${value}'`).join(', ')})` : undefined;
}

/** A backslash escapes on PostgreSQL and MySQL and does not on SQLite; beyond ASCII databases fold letters differently. */
function patternText(pattern: string, foldsCase: boolean): string | undefined {
  if (pattern.includes('\\')) return undefined;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: all of ASCII is meant
  if (foldsCase && !/^[\x00-\x7f]*$/.test(pattern)) return undefined;
  return quoted(pattern);
}

/** A text in the quotes it does not contain. There is no escaping, and a backslash at the end would hide the quote. */
function quoted(text: string): string | undefined {
  if (text.endsWith('\\') || text.includes('\0')) return undefined;
  if (!text.includes("'")) return `'${text}'`;
  return text.includes('"') ? undefined : `"${text}"`;
}

const MOST_INT64 = 2n ** 63n - 1n;

function numberText(
  value: number | bigint,
  { subject, operator }: Comparison,
  dialect: Dialect,
): string | undefined {
  if (subject.entity !== 'metric') {
    // Older servers cut the fraction off.
    if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined;
    return value <= MOST_INT64 && value >= -MOST_INT64 ? String(value) : undefined;
  }
  // Where NaN counts as 0, `!= 0` would hide runs whose latest value is NaN.
  if (operator === '!=' && Number(value) === 0 && !dialect.nanIsUnequal) return undefined;
  if (!Number.isFinite(Number(value))) return undefined;
  return String(value).replace('e+', 'e');
}
