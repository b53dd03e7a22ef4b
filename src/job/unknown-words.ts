import type { Findings } from '../model/findings.ts';
import { RUN_STATUSES } from '../model/mlflow/statuses.ts';
import type { Selection } from '../model/selection.ts';
import type { Reader } from '../places/place.ts';
import type { Comparison, Expression } from '../search/expression.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';
import { nearest } from '../util/nearest.ts';
import type { Ledger } from './ledger.ts';

/** Runs that are looked at for the keys that a place has. */
const LOOKED_AT = 500;

/**
 * Where a filter fitted no run at all: reports the keys in it that no run has, and statuses that there are not, with the names
 * that are most like them. A filter of known words that fits nothing is no failure.
 */
export async function noteUnknownWords(reader: Reader, selection: Selection, ledger: Ledger): Promise<void> {
  const { filter } = searchOf(selection);
  if (filter === undefined) return;
  const known = await ledger.quietly(() => knownKeys(reader, selection));
  if (known === undefined) return;
  for (const { subject, ...comparison } of comparisonsOf(filter)) {
    if (subject.entity === 'attribute' && subject.key === 'status')
      for (const status of textsOf(comparison)) tell(ledger, 'status', status, RUN_STATUSES);
    else if (subject.entity === 'metric' || subject.entity === 'param' || subject.entity === 'tag')
      tell(ledger, subject.entity, subject.key, known[subject.entity]);
  }
}

/** The keys of the first runs, whatever the filter; `undefined` when there is no run. */
async function knownKeys(reader: Reader, selection: Selection) {
  const { filter: _, order_by: __, max_runs: ___, ...all } = selection;
  const known = { metric: new Set<string>(), param: new Set<string>(), tag: new Set<string>() };
  let runs = 0;
  for await (const experiment of reader.experiments(all)) {
    for await (const { run } of reader.runs(experiment, all)) {
      for (const key of Object.keys(run.latest_metrics)) known.metric.add(key);
      for (const key of Object.keys(run.params)) known.param.add(key);
      for (const key of Object.keys(run.tags)) known.tag.add(key);
      runs += 1;
      if (runs >= LOOKED_AT) return known;
    }
  }
  return runs === 0 ? undefined : known;
}

function tell(findings: Findings, what: string, word: string, known: Iterable<string>): void {
  const names = [...known];
  if (names.includes(word)) return;
  const near = nearest(word, names);
  const whose = what === 'status' ? 'No run can have' : 'No run that was looked at has';
  const message = `${whose} the ${what} ${JSON.stringify(word)}${near === undefined ? '' : `; did you mean ${JSON.stringify(near)}?`}`;
  const { code, hint } = new MlferryError('NOT_FOUND', message, { hint: 'Mend the filter.' });
  findings.failure({ code, object: 'the filter', message, hint });
}

function comparisonsOf(expression: Expression): Comparison[] {
  if (expression.type === 'comparison') return [expression];
  if (expression.type === 'not') return comparisonsOf(expression.term);
  return expression.terms.flatMap(comparisonsOf);
}

/** The texts that a comparison asks for; patterns ask for none. */
function textsOf(comparison: Pick<Comparison, 'operator'> & { readonly value?: unknown }): string[] {
  const { operator, value } = comparison;
  if (operator === '=' && typeof value === 'string') return [value];
  if (operator !== 'IN' || !Array.isArray(value)) return [];
  return value.filter((text) => typeof text === 'string');
}
