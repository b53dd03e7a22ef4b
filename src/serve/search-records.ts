import { setImmediate } from 'node:timers/promises';
import type { ObjectRecord } from '../kinds/kind.ts';
import { kindOf } from '../kinds/kinds.ts';
import { idOf } from '../kinds/marks.ts';
import { type Run, run as runSchema } from '../model/records.ts';
import { needsHistory } from '../search/aggregates.ts';
import { runColumns, sortValuesOfRun } from '../search/compare-runs.ts';
import { compareSortValues, type SortValue } from '../search/compare-sort-values.ts';
import { evaluate } from '../search/evaluate.ts';
import { evaluateObject, valuesIn } from '../search/evaluate-object.ts';
import type { Expression, Order } from '../search/expression.ts';
import { parseOrderBy } from '../search/parse-order-by.ts';
import { parseSearch } from '../search/parse-search.ts';
import { searchKindNamed } from '../search/search-kinds.ts';
import { MlferryError } from '../util/errors.ts';
import type { FoundIds } from './found-ids.ts';
import { absent } from './refusal.ts';
import { RUN, type ServedPlace } from './served-place.ts';

/** Records that are judged before others get their turn. */
const AT_ONCE = 200;

/** What is searched for. */
export interface Wanted {
  readonly experiment_ids?: readonly string[];
  readonly filter: string;
  readonly order_by: readonly string[];
}

/** Ids of the runs that fit, in MLflow's order. Throws EXPRESSION. */
export async function searchRuns(
  place: ServedPlace,
  found: FoundIds,
  { experiment_ids = [], filter, order_by }: Wanted,
  stages: readonly string[],
): Promise<readonly string[]> {
  const expression = parseSearch(filter, 'runs');
  const orders = order_by.map((text) => parseOrderBy(text));
  const { table, pass } = await place.records(RUN, experiment_ids);
  return found.of(JSON.stringify([RUN, pass, experiment_ids, filter, order_by, stages]), async () => {
    if (expression === undefined && orders.length === 0)
      return table.latestFirst(RUN, experiment_ids, stages);
    const byHistory =
      expression !== undefined && needsHistory(expression).size > 0
        ? await place.runsByHistory(await experimentsOf(place, experiment_ids), filter)
        : undefined;
    const fits = (run: Run) =>
      stages.includes(run.lifecycle_stage) &&
      (byHistory?.has(run.run_id) ?? (expression === undefined || evaluate(expression, run)));
    const columns = runColumns(orders);
    return sortedIds(columns, table.each(RUN, experiment_ids), (text) => {
      const run = runSchema.parse(JSON.parse(text));
      return fits(run) ? sortValuesOfRun(columns, run) : undefined;
    });
  });
}

async function experimentsOf(place: ServedPlace, ids: readonly string[]) {
  return (await place.experiments()).filter(({ experiment_id }) => ids.includes(experiment_id));
}

/** What is judged besides the filter, or of it otherwise; `key` tells those that differ. */
interface Extra {
  readonly key?: string;
  isWanted?(record: ObjectRecord): boolean;
  adapt?(expression: Expression): Expression;
}

/**
 * Ids of the objects of a further kind that fit, sorted by `order_by`, else by `usual`, then by id; `isWanted` judges besides.
 * Throws EXPRESSION.
 */
export async function searchObjects(
  place: ServedPlace,
  found: FoundIds,
  kind: string,
  { experiment_ids, filter, order_by }: Wanted,
  usual: readonly string[],
  extra: Extra = {},
): Promise<readonly string[]> {
  const of = kindOf(kind);
  const words = searchKindNamed(of.words.many);
  if (words === undefined) throw new MlferryError('BUG', `${of.words.many} cannot be searched`);
  const parsed = parseSearch(filter, words);
  const expression = parsed === undefined ? undefined : (extra.adapt?.(parsed) ?? parsed);
  const orders = (order_by.length > 0 ? order_by : usual).map((text) => parseOrderBy(text, words));
  const { table, pass } = await place.records(kind, experiment_ids);
  const key = JSON.stringify([kind, pass, experiment_ids, filter, order_by, extra.key]);
  return found.of(key, () =>
    sortedIds(orders, table.each(kind, experiment_ids), (text) => {
      const record = of.schema.parse(JSON.parse(text));
      if (extra.isWanted?.(record) === false) return undefined;
      if (expression !== undefined && !evaluateObject(expression, words, record)) return undefined;
      const valuesOf = valuesIn(words, record);
      return [...orders.map(({ subject }) => valuesOf(subject)[0]), idOf(of, record)];
    }),
  );
}

/** The ids of the records that have values to sort by, in their order. */
async function sortedIds(
  columns: readonly Order[],
  records: Iterable<string>,
  valuesOf: (record: string) => SortValue[] | undefined,
): Promise<string[]> {
  const rows: SortValue[][] = [];
  let judged = 0;
  for (const record of records) {
    const values = valuesOf(record);
    if (values !== undefined) rows.push(values);
    judged += 1;
    if (judged % AT_ONCE === 0) await setImmediate();
  }
  return rows.sort(compareSortValues(columns)).map((row) => String(row[columns.length]));
}

/** A run that must be there. */
export async function runOf(place: ServedPlace, run_id: string): Promise<Run> {
  const run = await place.run(run_id);
  if (run === undefined) throw absent(`Run with id=${run_id}`);
  return run;
}
