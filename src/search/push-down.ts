import { RUN_NAME_TAG } from '../model/mlflow/tags.ts';
import { MlferryError } from '../util/errors.ts';
import type { Dialect } from './dialects.ts';
import type { Comparison, Expression, Order, Subject } from './expression.ts';
import { formatComparison, formatOrder } from './format-expression.ts';

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
 * The server's words for an order, or undefined where it is better sorted here: texts follow the collation of the
 * database, an end time of 0 is none over REST, and MLflow's sorting by a metric takes SQLite time in the square of
 * the runs (30 s for 10,000, seen with 3.17).
 */
export function pushOrder(order: readonly Order[], dialect: Dialect): string[] | undefined {
  const [only, ...others] = order;
  if (!dialect.sorts || only === undefined || others.length > 0) return undefined;
  const isStart = only.subject.entity === 'attribute' && only.subject.key === 'start_time';
  return isStart ? [formatOrder(only)] : undefined;
}

const TIMES = ['start_time', 'end_time'];
const TEXTS = ['run_id', 'user_id', 'status', 'artifact_uri'];
/** Attributes that every run has, so that `NOT a = b` is `a != b`. */
const ALWAYS_SET = ['run_id', 'status'];
/** The terms that must all hold, with NOT moved inwards where that is exact. */
export function conjuncts(expression: Expression | undefined): Expression[] {
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
  const isAlwaysSet = entity === 'attribute' && ALWAYS_SET.includes(key);
  switch (comparison.operator) {
    case 'IS NULL':
      return { ...comparison, operator: 'IS NOT NULL' };
    case 'IS NOT NULL':
      return { ...comparison, operator: 'IS NULL' };
    case '=':
      return isAlwaysSet ? { ...comparison, operator: '!=' } : undefined;
    case '!=':
      return isAlwaysSet ? { ...comparison, operator: '=' } : undefined;
    case 'IN':
      return isAlwaysSet ? { ...comparison, operator: 'NOT IN' } : undefined;
    case 'NOT IN':
      return isAlwaysSet ? { ...comparison, operator: 'IN' } : undefined;
    default:
      return undefined;
  }
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
  const subject = servedSubject(comparison.subject, dialect);
  const served = subject && servedComparison({ ...comparison, subject }, dialect);
  if (served === undefined) return undefined;
  try {
    return formatComparison(served);
  } catch (error) {
    // A text with both kinds of quotes has no form.
    if (error instanceof MlferryError && error.code === 'EXPRESSION') return undefined;
    throw error;
  }
}

/** The subject as the server calls it, if it can be searched there. */
function servedSubject(subject: Subject, dialect: Dialect): Subject | undefined {
  switch (subject.entity) {
    case 'metric': {
      const { aggregate, ...latest } = subject;
      if (aggregate === undefined || dialect.aggregates.includes(aggregate)) return subject;
      return aggregate === 'LATEST' ? latest : undefined;
    }
    case 'param':
    case 'tag':
      return subject;
    case 'dataset':
      return dialect.datasets ? subject : undefined;
    case 'metadata':
    case 'feedback':
    case 'expectation':
      return undefined;
    case 'attribute':
      // This is how an SQL store finds a run name, and what a run's name is here.
      if (subject.key === 'run_name') return { entity: 'tag', key: RUN_NAME_TAG };
      return TIMES.includes(subject.key) || TEXTS.includes(subject.key) ? subject : undefined;
  }
}

/** A comparison that the server understands and that holds wherever the given one does. */
function servedComparison(comparison: Comparison, dialect: Dialect): Comparison | undefined {
  const { subject } = comparison;
  const mayLack = subject.entity === 'param' || subject.entity === 'tag';
  switch (comparison.operator) {
    case 'IS NOT NULL':
      if (mayLack && !dialect.nullTests && dialect.patterns)
        return { ...comparison, operator: 'LIKE', value: '%' };
      return mayLack && dialect.nullTests ? comparison : undefined;
    case 'IS NULL':
      return mayLack && dialect.nullTests ? comparison : undefined;
    case 'IN':
    case 'NOT IN':
      return dialect.lists && isListed(subject) && isPlainList(comparison.value) ? comparison : undefined;
    case 'LIKE':
    case 'ILIKE':
      return dialect.patterns ? { ...comparison, value: looserPattern(comparison) } : undefined;
    default:
      return isSame(comparison, comparison.value, dialect) ? comparison : undefined;
  }
}

function isListed(subject: Subject): boolean {
  return subject.entity === 'dataset' || (subject.entity === 'attribute' && subject.key === 'run_id');
}

/** Most texts in a list: a database takes only so many values in one statement. */
const MOST_LISTED = 500;

/**
 * MLflow up to 3.6 at least drops from a list whatever has capitals or no letter at all: a way around MySQL's IN,
 * meant for run ids.
 */
function isPlainList(values: readonly string[]): boolean {
  const isPlain = values.every((value) => /^[a-z0-9_.: /-]*$/.test(value) && /[a-z]/.test(value));
  return isPlain && values.length > 0 && values.length <= MOST_LISTED;
}

/**
 * A pattern that every database reads alike: a backslash escapes on PostgreSQL and MySQL, `_` is one byte on MySQL, and
 * letters beyond ASCII fold differently. In their place anything may stand.
 */
function looserPattern({ operator, value }: { readonly operator: string; readonly value: string }): string {
  const safe = value.replace(/[\\_\0]/g, '%');
  return operator === 'ILIKE' ? safe.replace(/[^ -~]/g, '%') : safe;
}

const MOST_INT64 = 2n ** 63n - 1n;

/** Whether the server compares this value as we do. */
function isSame(
  { subject, operator }: Comparison,
  value: string | number | bigint,
  dialect: Dialect,
): boolean {
  if (typeof value === 'string') return !value.includes('\0');
  if (typeof value === 'bigint') return value <= MOST_INT64 && value >= -MOST_INT64;
  // Older servers cut the fraction of a time off.
  if (subject.entity !== 'metric') return Number.isSafeInteger(value);
  // Where NaN counts as 0, `!= 0` would hide runs whose latest value is NaN.
  if (operator === '!=' && value === 0 && !dialect.nanIsUnequal) return false;
  // Infinite values stand as the greatest number in databases, and as what they are elsewhere.
  return Math.abs(value) < Number.MAX_VALUE;
}
