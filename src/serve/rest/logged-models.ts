import { z } from 'zod';
import { loggedModel } from '../../model/logged-model.ts';
import { list } from '../answers/json-values.ts';
import { modelAnswer } from '../answers/model-answer.ts';
import { count, optionalText, parsed, searchFields, texts } from '../asked.ts';
import type { Handler } from '../context.ts';
import { modelOf } from '../files.ts';
import { pageOf } from '../page.ts';
import { searchObjects } from '../search-records.ts';

const KIND = 'logged_model';

const idSchema = z.object({ model_id: z.string() });

export const getLoggedModel: Handler = async ({ place }, asked) => ({
  json: { model: modelAnswer(await modelOf(place, parsed(idSchema, asked).model_id)) },
});

const searchSchema = z.object({
  ...searchFields,
  experiment_ids: texts,
  max_results: count(50, 50_000),
  datasets: z
    .array(z.object({ dataset_name: z.string(), dataset_digest: optionalText }))
    .nullish()
    .transform((datasets) => datasets ?? []),
  order_by: z
    .array(z.object({ field_name: z.string(), ascending: z.boolean().nullish() }))
    .nullish()
    .transform((columns) =>
      (columns ?? []).map(
        ({ field_name, ascending }) => `${quoted(field_name)} ${ascending === false ? 'DESC' : 'ASC'}`,
      ),
    ),
});

/** A column with the key in quotes, as search expressions have it. */
function quoted(field: string): string {
  const [, entity, key] = /^(\w+)\.(.+)$/s.exec(field) ?? [];
  if (entity === undefined || key === undefined || /^[`"]/.test(key)) return field;
  return key.includes('`') ? `${entity}."${key}"` : `${entity}.\`${key}\``;
}

export const searchLoggedModels: Handler = async ({ place, found }, asked) => {
  const { max_results, page_token, datasets, ...wanted } = parsed(searchSchema, asked);
  const extra = {
    key: JSON.stringify(datasets),
    isWanted: (record: unknown) =>
      datasets.length === 0 ||
      loggedModel
        .parse(record)
        .metrics.some((metric) =>
          datasets.some(
            ({ dataset_name, dataset_digest }) =>
              metric.dataset_name === dataset_name &&
              (dataset_digest === undefined || metric.dataset_digest === dataset_digest),
          ),
        ),
  };
  const ids = await searchObjects(place, found, KIND, wanted, ['creation_timestamp DESC'], extra);
  const { items, next_page_token } = pageOf(ids, max_results, page_token);
  const { table } = await place.records(KIND, wanted.experiment_ids);
  const models = items.flatMap((id) => table.get(KIND, id) ?? []);
  return {
    json: {
      models: list(models.map((text) => modelAnswer(loggedModel.parse(JSON.parse(text))))),
      next_page_token,
    },
  };
};
