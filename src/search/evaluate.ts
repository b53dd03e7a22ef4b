import type { Experiment, Run } from '../model/records.ts';
import type { HistoryAggregates } from './aggregates.ts';
import type { Comparison, Expression, Subject } from './expression.ts';
import { matchesIlike, matchesLike } from './like.ts';
import { experimentValues, runValues, type Values } from './subject-values.ts';

/**
 * Whether a run fits an expression: what MLflow's SQL store (3.17.2, SQLite) answers for everything it accepts. A
 * condition on a key that the run lacks is false, whatever the operator; NOT is the plain opposite of what it
 * stands before. `aggregates` gives the history of each metric of {@link needsHistory} that the run has.
 */
export function evaluate(
  expression: Expression,
  run: Run,
  aggregates: (key: string) => HistoryAggregates | undefined = () => undefined,
): boolean {
  return judge(expression, (subject) => runValues(subject, run, aggregates));
}

/** Whether an experiment fits an expression of kind `experiments`. */
export function evaluateExperiment(expression: Expression, experiment: Experiment): boolean {
  return judge(expression, (subject) => experimentValues(subject, experiment));
}

/** The same for whatever has values. */
export function judge(expression: Expression, valuesOf: (subject: Subject) => Values): boolean {
  switch (expression.type) {
    case 'and':
      return expression.terms.every((term) => judge(term, valuesOf));
    case 'or':
      return expression.terms.some((term) => judge(term, valuesOf));
    case 'not':
      return !judge(expression.term, valuesOf);
    default:
      return fits(expression, valuesOf(expression.subject));
  }
}

function fits(comparison: Comparison, values: Values): boolean {
  if (comparison.operator === 'IS NULL') return values.length === 0;
  return values.some((value) => compares(comparison, value));
}

function compares(comparison: Comparison, value: number | bigint | string): boolean {
  switch (comparison.operator) {
    case '=':
      return looselyEqual(value, comparison.value);
    case '!=':
      return !looselyEqual(value, comparison.value);
    case '<':
      return value < comparison.value;
    case '<=':
      return value <= comparison.value;
    case '>':
      return value > comparison.value;
    case '>=':
      return value >= comparison.value;
    case 'LIKE':
      return matchesLike(String(value), comparison.value);
    case 'ILIKE':
      return matchesIlike(String(value), comparison.value);
    case 'IN':
      return comparison.value.includes(String(value));
    case 'NOT IN':
      return !comparison.value.includes(String(value));
    case 'IS NULL':
      return false;
    case 'IS NOT NULL':
      return true;
  }
}

/** Texts by their characters; numbers by their value, also a bigint and a number. NaN equals nothing. */
function looselyEqual(a: number | bigint | string, b: number | bigint | string): boolean {
  if (typeof a === 'string' || typeof b === 'string') return a === b;
  return a <= b && a >= b;
}
