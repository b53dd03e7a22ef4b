import { z } from 'zod';
import { DATASET_CONTEXT_TAG } from '../../model/mlflow/tags.ts';
import { run as runSchema } from '../../model/records.ts';
import { ownValue } from '../../model/string-map.ts';
import { list } from '../answers/json-values.ts';
import { runAnswer } from '../answers/run-answer.ts';
import { count, optionalText, parsed, searchFields, texts, viewType } from '../asked.ts';
import type { Handler } from '../context.ts';
import { pageOf } from '../page.ts';
import { absent } from '../refusal.ts';
import { runOf, searchRuns } from '../search-records.ts';
import { RUN } from '../served-place.ts';

/** A run by either name of its id. */
export const runId = z
  .object({ run_id: optionalText, run_uuid: optionalText })
  .transform(({ run_id, run_uuid }) => run_id ?? run_uuid ?? '');

export const getRun: Handler = async ({ place }, asked) => ({
  json: { run: runAnswer(await runOf(place, parsed(runId, asked))) },
});

const searchSchema = z.object({
  ...searchFields,
  experiment_ids: texts,
  run_view_type: viewType,
  max_results: count(1000, 50_000),
});

export const searchRunsRoute: Handler = async ({ place, found }, asked) => {
  const { run_view_type, max_results, page_token, ...wanted } = parsed(searchSchema, asked);
  const ids = await searchRuns(place, found, wanted, run_view_type);
  const { items, next_page_token } = pageOf(ids, max_results, page_token);
  const { table } = await place.records(RUN, wanted.experiment_ids);
  const runs = items.flatMap((id) => table.get(RUN, id) ?? []);
  return {
    json: { runs: list(runs.map((text) => runAnswer(runSchema.parse(JSON.parse(text))))), next_page_token },
  };
};

/** Most datasets that are told at once, as MLflow does. */
const MOST_DATASETS = 1000;

const datasetsSchema = z.object({ experiment_ids: texts });

/** The datasets that the runs of some experiments read. */
export const searchDatasets: Handler = async ({ place }, asked) => {
  const { experiment_ids } = parsed(datasetsSchema, asked);
  if (experiment_ids.length === 0) throw absent('An experiment without an id');
  const { table } = await place.records(RUN, experiment_ids);
  const summaries = new Map<string, unknown>();
  for (const text of table.each(RUN, experiment_ids)) {
    const { experiment_id, dataset_inputs } = runSchema.parse(JSON.parse(text));
    for (const { dataset, tags } of dataset_inputs) {
      const { name, digest } = dataset;
      const context = ownValue(tags, DATASET_CONTEXT_TAG);
      summaries.set(JSON.stringify([experiment_id, name, digest, context]), {
        experiment_id,
        name,
        digest,
        context,
      });
    }
    if (summaries.size >= MOST_DATASETS) break;
  }
  return { json: { dataset_summaries: list([...summaries.values()].slice(0, MOST_DATASETS)) } };
};
