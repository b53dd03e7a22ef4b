import { toDouble } from '../model/metric-value.ts';
import type { Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import { type HistoryAggregates, needsHistory } from './aggregates.ts';
import { evaluate } from './evaluate.ts';
import type { Comparison, Expression } from './expression.ts';

/**
 * What {@link evaluate} would say, as far as the record of a run tells without its histories; undefined when they have
 * to be read. The latest value bounds the least and the greatest one, so that often decides.
 */
export function judgeRecord(expression: Expression, run: Run): boolean | undefined {
  switch (expression.type) {
    case 'and':
      return joint(expression.terms, run, false);
    case 'or':
      return joint(expression.terms, run, true);
    case 'not': {
      const inner = judgeRecord(expression.term, run);
      return inner === undefined ? undefined : !inner;
    }
    default:
      return judgeComparison(expression, run);
  }
}

/** AND is settled by one false term, OR by one true one. */
function joint(terms: readonly Expression[], run: Run, settling: boolean): boolean | undefined {
  const verdicts = terms.map((term) => judgeRecord(term, run));
  if (verdicts.includes(settling)) return settling;
  return verdicts.includes(undefined) ? undefined : !settling;
}

function judgeComparison(comparison: Comparison, run: Run): boolean | undefined {
  const { subject, operator } = comparison;
  const latest = subject.entity === 'metric' ? ownValue(run.latest_metrics, subject.key) : undefined;
  if (latest === undefined || needsHistory(comparison).size === 0) return evaluate(comparison, run);
  if (operator === 'IS NULL' || operator === 'IS NOT NULL') return operator === 'IS NOT NULL';
  if (subject.entity !== 'metric' || Number.isNaN(toDouble(latest[2]))) return undefined;
  const byLatest = (known: HistoryAggregates) => evaluate(comparison, run, () => known);
  const value = toDouble(latest[2]);
  const fits = byLatest({ min: value, max: value, first: latest, count: 1 });
  const isBelow = operator === '<' || operator === '<=';
  const isAbove = operator === '>' || operator === '>=';
  if (subject.aggregate === 'MIN') return isBelow && fits ? true : isAbove && !fits ? false : undefined;
  if (subject.aggregate === 'MAX') return isAbove && fits ? true : isBelow && !fits ? false : undefined;
  return undefined;
}
