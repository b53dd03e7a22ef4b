import type { ObjectFilter, Selection } from '../model/selection.ts';
import { MlferryError } from '../util/errors.ts';
import type { Expression, Order, SearchKind } from './expression.ts';
import { parseOrderBy } from './parse-order-by.ts';
import { parseSearch } from './parse-search.ts';

/** The texts of a selection, parsed. */
export interface Search {
  readonly filter: Expression | undefined;
  readonly experiment_filter: Expression | undefined;
  /** Never empty: the latest start first, as in MLflow, unless something else was asked for. */
  readonly order: readonly Order[];
  readonly max_runs: number | undefined;
}

/** What the expressions over objects are about. */
const OBJECT_KINDS: ReadonlyArray<readonly [ObjectFilter, SearchKind]> = [
  ['model_filter', 'logged models'],
  ['registered_model_filter', 'registered models'],
  ['model_version_filter', 'model versions'],
  ['trace_filter', 'traces'],
];

/** Parses the texts of a selection. Throws EXPRESSION with the column, and USAGE for a `max_runs` that is no count. */
export function searchOf(selection: Partial<Selection>): Search {
  const { filter = '', experiment_filter = '', order_by = [], max_runs } = selection;
  for (const [field, kind] of OBJECT_KINDS) parseSearch(selection[field] ?? '', kind);
  if (max_runs !== undefined && (!Number.isSafeInteger(max_runs) || max_runs < 1))
    throw new MlferryError('USAGE', `max_runs is ${max_runs}, which is not a whole number above 0`);
  return {
    filter: parseSearch(filter, 'runs'),
    experiment_filter: parseSearch(experiment_filter, 'experiments'),
    order: (order_by.length === 0 ? ['start_time DESC'] : order_by).map((text) => parseOrderBy(text)),
    max_runs,
  };
}
