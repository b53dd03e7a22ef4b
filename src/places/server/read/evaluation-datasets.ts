import type { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import {
  type EvaluationDataset,
  type EvaluationDatasetRecord,
  evaluationDataset,
  evaluationDatasetRecord,
} from '../../../model/evaluation-dataset.ts';
import { isSameJson } from '../../../model/typed-json.ts';
import { NO_FILES } from '../../artifact-owner.ts';
import type { ObjectSource } from '../../objects.ts';
import type { datasetPage, datasetRecordPage } from '../connect/evaluation-answers.ts';
import { pages } from '../connect/pages.ts';
import { routes, within } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';

const PAGE = 200;
const JSON_FIELDS = ['inputs', 'outputs', 'expectations', 'tags', 'source'] as const;

/** All evaluation datasets, each once, in the order of their creation. In which experiments they are {@link experimentsOf} tells. */
export async function* searchEvaluationDatasets(client: TrackingClient): AsyncGenerator<EvaluationDataset> {
  const seen = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    client.call(routes.searchEvaluationDatasets, {
      body: { max_results, page_token, order_by: ['created_time ASC'] },
    });
  const isNew = ({ datasets }: z.infer<typeof datasetPage>) =>
    datasets.some(({ dataset_id }) => !seen.has(dataset_id));
  for await (const page of pages({ name: 'The list of evaluation datasets', ask, isNew, size: PAGE })) {
    for (const dataset of page.datasets) {
      const { dataset_id } = dataset;
      if (seen.has(dataset_id)) continue;
      seen.add(dataset_id);
      yield dataset;
    }
  }
}

/** The experiments that a dataset is in, sorted. */
export async function experimentsOf(client: TrackingClient, dataset_id: string): Promise<string[]> {
  return (await client.call(within(routes.evaluationDatasetExperiments, dataset_id))).experiment_ids;
}

/** The records of a dataset, each once, in the order of their creation. */
export async function* readDatasetRecords(
  client: TrackingClient,
  dataset_id: string,
): AsyncGenerator<EvaluationDatasetRecord> {
  const seen = new Set<string>();
  const ask = (max_results: number, page_token: string | undefined) =>
    client.call(within(routes.evaluationDatasetRecords, dataset_id), { query: { max_results, page_token } });
  const isNew = ({ records }: z.infer<typeof datasetRecordPage>) =>
    records.some(({ input_hash }) => !seen.has(input_hash));
  const name = `The records of evaluation dataset ${dataset_id}`;
  for await (const { records } of pages({ name, ask, isNew, size: PAGE })) {
    for (const record of records) {
      if (seen.has(record.input_hash)) continue;
      seen.add(record.input_hash);
      yield record;
    }
  }
}

/** The evaluation datasets of a server, and their records. */
export function evaluationDatasets(client: TrackingClient): ReadonlyArray<[string, ObjectSource]> {
  const of = kindOf('evaluation_dataset');
  const ofRecord = kindOf('evaluation_dataset_record');
  return [
    [
      of.kind,
      {
        represent: (wanted) => {
          const { experiment_ids, ...record } = evaluationDataset.parse(wanted);
          return { record: { ...record, experiment_ids: experiment_ids.toSorted() }, losses: [] };
        },
        async *read() {
          for await (const dataset of searchEvaluationDatasets(client)) {
            const experiment_ids = await experimentsOf(client, dataset.dataset_id);
            yield { of, record: { ...dataset, experiment_ids }, ...NO_FILES };
          }
        },
      },
    ],
    [
      ofRecord.kind,
      {
        // Databases may keep the keys of an object in another order.
        represent: (wanted, found) => {
          const [record, present] = [wanted, found].map((text) => evaluationDatasetRecord.parse(text));
          const same = JSON_FIELDS.filter((field) => {
            const [a, b] = [record?.[field], present?.[field]];
            return a !== undefined && b !== undefined && isSameJson(a, b);
          });
          const kept = same.map((field) => [field, present?.[field]]);
          return { record: { ...wanted, ...Object.fromEntries(kept) }, losses: [] };
        },
        async *read({ isChosen }) {
          for await (const { dataset_id } of searchEvaluationDatasets(client)) {
            if (!isChosen(of.kind, dataset_id)) continue;
            for await (const record of readDatasetRecords(client, dataset_id))
              yield { of: ofRecord, record, ...NO_FILES };
          }
        },
      },
    ],
  ];
}
