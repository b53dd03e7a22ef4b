import { z } from 'zod';
import type { Experiment } from '../../model/records.ts';
import { compareSortValues, type SortValue } from '../../search/compare-sort-values.ts';
import { evaluateExperiment } from '../../search/evaluate.ts';
import type { Order } from '../../search/expression.ts';
import { parseOrderBy } from '../../search/parse-order-by.ts';
import { parseSearch } from '../../search/parse-search.ts';
import { experimentValues } from '../../search/subject-values.ts';
import { experimentAnswer } from '../answers/experiment-answer.ts';
import { list } from '../answers/json-values.ts';
import { count, parsed, searchFields, viewType } from '../asked.ts';
import type { Handler } from '../context.ts';
import { pageOf } from '../page.ts';
import { absent } from '../refusal.ts';

/** MLflow's order, and what it sorts by at last (mlflow/store/tracking/sqlalchemy_store.py). */
const USUAL = ['creation_time DESC', 'experiment_id ASC'];
const LAST: Order = { subject: { entity: 'attribute', key: 'experiment_id' }, direction: 'DESC' };

const searchSchema = z.object({ ...searchFields, view_type: viewType, max_results: count(1000, 50_000) });

export const searchExperiments: Handler = async ({ place }, asked) => {
  const { filter, order_by, view_type, max_results, page_token } = parsed(searchSchema, asked);
  const expression = parseSearch(filter, 'experiments');
  const orders = (order_by.length > 0 ? order_by : USUAL).map((text) => parseOrderBy(text, 'experiments'));
  const columns = [...orders, LAST];
  const compare = compareSortValues(columns);
  const found = (await place.experiments())
    .filter(
      (experiment) =>
        view_type.includes(experiment.lifecycle_stage) &&
        (expression === undefined || evaluateExperiment(expression, experiment)),
    )
    .map((experiment) => ({ experiment, values: valuesOf(columns, experiment) }))
    .sort((a, b) => compare(a.values, b.values));
  const { items, next_page_token } = pageOf(found, max_results, page_token);
  return {
    json: {
      experiments: list(items.map(({ experiment }) => experimentAnswer(experiment))),
      next_page_token,
    },
  };
};

/** Ids that are numbers are sorted as such. */
function valuesOf(columns: readonly Order[], experiment: Experiment): SortValue[] {
  return columns.map(({ subject }) => {
    const [value] = experimentValues(subject, experiment);
    const isId = subject.key === 'experiment_id' && typeof value === 'string' && /^\d+$/.test(value);
    return isId ? BigInt(value) : value;
  });
}

const idSchema = z.object({ experiment_id: z.string() });

export const getExperiment: Handler = async ({ place }, asked) => {
  const { experiment_id } = parsed(idSchema, asked);
  const found = (await place.experiments()).find((each) => each.experiment_id === experiment_id);
  if (found === undefined) throw absent(`Experiment with ID ${experiment_id}`);
  return { json: { experiment: experimentAnswer(found) } };
};

const nameSchema = z.object({ experiment_name: z.string() });

export const getExperimentByName: Handler = async ({ place }, asked) => {
  const { experiment_name } = parsed(nameSchema, asked);
  const found = (await place.experiments()).find(({ name }) => name === experiment_name);
  if (found === undefined) throw absent(`Experiment with name '${experiment_name}'`);
  return { json: { experiment: experimentAnswer(found) } };
};
