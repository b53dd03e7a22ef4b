import type { Run } from '../../src/model/records.ts';
import type { Comparison, Expression } from '../../src/search/expression.ts';

/**
 * Where MLflow's servers answer otherwise than the language of docs/search-expressions.md: each a bug of theirs or a
 * matter of the database, by name. The differential test takes them for granted here and nowhere else.
 */
export interface Quirks {
  /** MLflow issue 25640, 3.6 and older: a NaN metric is compared as 0. */
  readonly nanIsZero: boolean;
  /** MLflow issues 24964 and 25011, 3.6 and older: values of IN and NOT IN that are not lower case are dropped. */
  readonly listsAreLowerCase: boolean;
  /** PostgreSQL: a backslash in a pattern escapes, and ILIKE knows the cases of all letters. */
  readonly isPostgresql: boolean;
}

/** The expression as a server of these quirks understands it. */
export function asServerReads(expression: Expression, quirks: Quirks): Expression {
  switch (expression.type) {
    case 'and':
    case 'or':
      return { ...expression, terms: expression.terms.map((term) => asServerReads(term, quirks)) };
    case 'not':
      return { ...expression, term: asServerReads(expression.term, quirks) };
    default:
      return quirks.listsAreLowerCase ? withLowerCaseList(expression) : expression;
  }
}

function withLowerCaseList(comparison: Comparison): Comparison {
  if (comparison.operator !== 'IN' && comparison.operator !== 'NOT IN') return comparison;
  // Python's islower(): letters of either case there, none of them upper case.
  const isLower = (text: string) => /\p{Lowercase}/u.test(text) && !/[\p{Lu}\p{Lt}]/u.test(text);
  return { ...comparison, value: comparison.value.filter(isLower) };
}

/** The run as a server of these quirks compares it. */
export function asServerCompares(run: Run, quirks: Quirks): Run {
  if (!quirks.nanIsZero) return run;
  const latest = Object.entries(run.latest_metrics).map(
    ([key, [step, timestamp, value]]): [string, Run['latest_metrics'][string]] => [
      key,
      [step, timestamp, value === 'NaN' ? 0 : value],
    ],
  );
  return { ...run, latest_metrics: Object.fromEntries(latest) };
}

/** Whether PostgreSQL's own LIKE decides, which differs from SQLite's for this expression. */
export function isPostgresqlsOwn(expression: Expression): boolean {
  if (expression.type === 'not') return isPostgresqlsOwn(expression.term);
  if (expression.type !== 'comparison') return expression.terms.some(isPostgresqlsOwn);
  if (expression.operator === 'LIKE') return expression.value.includes('\\');
  return expression.operator === 'ILIKE' && /[\\\u0080-\u{10ffff}]/u.test(expression.value);
}

/**
 * Texts that MLflow accepts because sqlparse takes them for other parts of SQL, with a meaning nobody can have
 * wanted: the key is then that whole piece of the text. mlferry wants such keys in backticks.
 */
const ACCIDENTS: ReadonlyArray<readonly [name: string, pattern: RegExp]> = [
  // `params.a = 'x' params.b IS NULL` asks for the key `a = 'x' params.b`; `tags.a b IS NULL` for `a b`.
  [
    'more than a key before IS NULL',
    /(?:^|\bAND\b)(?!\s*[^\s=!<>]+\s+IS\s+(?:NOT\s+)?NULL\b)(?:(?!\bAND\b)[\s\S])*\bIS\s+(?:NOT\s+)?NULL\b/i,
  ],
  ['no key, or space, behind the dot', /(?<!\d)\.(?:\s|[=!<>]|$)/],
  ['space before the dot', /[\w§]\s+\.(?!\d)/],
  ['quotes inside a key', /\.[^\s=!<>]*(?:[\w§]§|§[\w§])/],
  ['a cast', /::/],
  ['a subscript or a name in brackets', /[[\]]/],
  ['ASC or DESC in a key', /(?:ASC|DESC)/i],
  ['AND glued to a number', /\dAND/i],
  ['an operator of JSON', /->|#>|@>|<@/],
];

/** The name of the accident by which MLflow may accept this text. */
export function accidentIn(text: string): string | undefined {
  const withoutQuoted = text.replace(/'(?:''|[^'])*'|"(?:""|[^"])*"|`(?:``|[^`])*`/g, '§');
  return ACCIDENTS.find(([, pattern]) => pattern.test(withoutQuoted))?.[0];
}
