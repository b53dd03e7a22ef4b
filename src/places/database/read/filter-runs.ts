import { allowedText } from '../../../model/mlflow/limits.ts';
import {
  ENTRY_POINT_TAG,
  RUN_NAME_TAG,
  SOURCE_COMMIT_TAG,
  SOURCE_NAME_TAG,
} from '../../../model/mlflow/tags.ts';
import type { Comparison, Expression } from '../../../search/expression.ts';
import { conjuncts } from '../../../search/push-down.ts';
import { type Parameter, placeholders } from '../connect/database.ts';
import { databaseLimits } from '../write/limits.ts';
import type { Store } from './store.ts';

/** A condition on rows of `runs`. */
export interface Condition {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

/** Tags that may also stand in columns of `runs`, of MLflow before 1.0. */
const IN_COLUMNS = [SOURCE_NAME_TAG, SOURCE_COMMIT_TAG, ENTRY_POINT_TAG];
const TIMES = ['start_time', 'end_time'];
const TEXTS: Readonly<Record<string, string>> = { run_id: 'run_uuid', user_id: 'user_id', status: 'status' };

/** Most values of a list: engines limit the number of parameters. */
const MOST_LISTED = 100;

/**
 * What the engine can sort out of the runs that an expression is about: a condition that holds for every run that fits, whatever the engine's
 * collation, and for others, too; `undefined` where it can sort out nothing. What comes back is judged by the records.
 */
export function runCondition(store: Store, expression: Expression): Condition | undefined {
  const parts = conjuncts(expression).flatMap((term) => termCondition(store, term) ?? []);
  return parts.length === 0 ? undefined : joined(parts, 'AND');
}

function joined(parts: readonly Condition[], word: 'AND' | 'OR'): Condition {
  return {
    sql: parts.map(({ sql }) => `(${sql})`).join(` ${word} `),
    parameters: parts.flatMap(({ parameters }) => parameters),
  };
}

function termCondition(store: Store, term: Expression): Condition | undefined {
  switch (term.type) {
    case 'and':
      return runCondition(store, term);
    case 'or': {
      const parts = term.terms.map((each) => runCondition(store, each));
      const known = parts.filter((part) => part !== undefined);
      return known.length === parts.length ? joined(known, 'OR') : undefined;
    }
    case 'not':
      return undefined;
    case 'comparison':
      return comparisonCondition(store, term);
  }
}

function comparisonCondition(store: Store, comparison: Comparison): Condition | undefined {
  const { subject } = comparison;
  const { key } = subject;
  switch (subject.entity) {
    case 'param':
      return textCondition(store, 'params', key, comparison);
    case 'tag':
      return IN_COLUMNS.includes(key) ? undefined : textCondition(store, 'tags', key, comparison);
    case 'metric':
      return metricCondition(store, comparison, key, subject.aggregate);
    case 'attribute':
      // Names are found by the tag, on every place.
      if (key === 'run_name') return textCondition(store, 'tags', RUN_NAME_TAG, comparison);
      return attributeCondition(store, comparison, key);
    default:
      return undefined;
  }
}

/** Whether the engine takes this text as a parameter. */
const isAllowed = (store: Store, text: string) => allowedText(text, databaseLimits(store)) === text;

/** A row of this run in a table of its own, with this key, that satisfies `more`. */
const row = (table: string, key: string, more = '', parameters: readonly Parameter[] = []): Condition => ({
  sql: `EXISTS (SELECT 1 FROM "${table}" AS "its" WHERE "its"."run_uuid" = "runs"."run_uuid" AND "its"."key" = ?${more})`,
  parameters: [key, ...parameters],
});

function textCondition(
  store: Store,
  table: 'params' | 'tags',
  key: string,
  comparison: Comparison,
): Condition | undefined {
  if (!isAllowed(store, key)) return undefined;
  if (comparison.operator === 'IS NULL') {
    // To MySQL a key of another case is the same one.
    const { sql, parameters } = row(table, key);
    return store.database.dialect.name === 'mysql' ? undefined : { sql: `NOT ${sql}`, parameters };
  }
  if (comparison.operator !== '=') return row(table, key);
  const { value } = comparison;
  // NULL is read as an empty text.
  if (typeof value !== 'string' || value === '' || !isAllowed(store, value)) return row(table, key);
  return row(table, key, ' AND "its"."value" = ?', [value]);
}

function metricCondition(
  store: Store,
  { operator, ...rest }: Comparison,
  key: string,
  aggregate: string | undefined,
): Condition | undefined {
  if (aggregate === 'COUNT' || operator === 'IS NULL' || !isAllowed(store, key)) return undefined;
  const value = 'value' in rest ? rest.value : undefined;
  const has = row('latest_metrics', key);
  if (typeof value !== 'number' || !(Math.abs(value) < Number.MAX_VALUE) || operator === '!=') return has;
  const isOrder = ['<', '<=', '>', '>='].includes(operator);
  if (aggregate === undefined || aggregate === 'LATEST')
    return isOrder || operator === '='
      ? row('latest_metrics', key, ` AND "its"."value" ${operator} ?`, [value])
      : has;
  // The least of them is below a value where any is.
  const isAny =
    (aggregate === 'MIN' && operator.startsWith('<')) || (aggregate === 'MAX' && operator.startsWith('>'));
  if (!isAny) return has;
  return joined([has, row('metrics', key, ` AND "its"."value" ${operator} ?`, [value])], 'AND');
}

function attributeCondition(store: Store, comparison: Comparison, key: string): Condition | undefined {
  const { operator } = comparison;
  const column = TEXTS[key];
  switch (operator) {
    case 'IN': {
      const { value } = comparison;
      const isListed = key === 'run_id' && value.length > 0 && value.length <= MOST_LISTED;
      if (!isListed || !value.every((each) => isAllowed(store, each))) return undefined;
      return { sql: `"runs"."run_uuid" IN (${placeholders(value)})`, parameters: value };
    }
    case '=':
    case '<':
    case '<=':
    case '>':
    case '>=': {
      const { value } = comparison;
      if (TIMES.includes(key))
        return typeof value === 'number' && Number.isSafeInteger(value)
          ? { sql: `"runs"."${key}" ${operator} ?`, parameters: [value] }
          : undefined;
      if (column === undefined || operator !== '=' || typeof value !== 'string') return undefined;
      if (value === '' || !isAllowed(store, value)) return undefined;
      return { sql: `"runs"."${column}" = ?`, parameters: [value] };
    }
    default:
      return undefined;
  }
}
