import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import {
  type LoggedModel,
  loggedModel,
  MODEL_STATUSES,
  type ModelMetric,
  sortModelMetrics,
} from '../../../model/logged-model.ts';
import { fromDouble } from '../../../model/metric-value.ts';
import type { Experiment } from '../../../model/records.ts';
import type { ObjectSource } from '../../objects.ts';
import { representModel } from '../write/fit-logged-model.ts';
import { double, integer, numericId, optionalText, text } from './cells.ts';
import { ownFiles } from './files.ts';
import { checkedRows, pairsOf, rowsOf, type Store } from './store.ts';

const modelRow = z.object({
  model_id: z.string().min(1),
  experiment_id: numericId,
  name: text,
  artifact_location: text,
  creation_timestamp_ms: integer,
  last_updated_timestamp_ms: integer,
  status: integer,
  model_type: optionalText,
  source_run_id: optionalText,
  status_message: optionalText,
});
type ModelRow = z.infer<typeof modelRow>;

const metricRow = z.object({
  model_id: z.string(),
  metric_name: z.string(),
  metric_timestamp_ms: integer,
  metric_step: integer,
  metric_value: double,
  run_id: optionalText,
  dataset_name: optionalText,
  dataset_digest: optionalText,
});

const countRow = z.object({ count: integer });

/** Models whose further rows are read together. */
const TOGETHER = 100;

/** The logged models of a database. Deleted ones are left out: no place keeps them. */
export function loggedModels(store: Store): ObjectSource {
  const of = kindOf('logged_model');
  return {
    represent: (wanted, present) =>
      representModel(store, loggedModel.parse(wanted), loggedModel.parse(present)),
    async *read({ experiments, selection }) {
      for (const experiment of experiments) {
        if (selection.view !== 'active') await noteDeleted(store, experiment);
        const rows = await checkedRows(
          store,
          modelRow,
          `SELECT ${store.tables.columns('logged_models', Object.keys(modelRow.shape))} FROM "logged_models"` +
            ` WHERE "experiment_id" = ? AND COALESCE("lifecycle_stage", 'active') = 'active'` +
            ' ORDER BY "logged_models"."creation_timestamp_ms", "model_id"',
          [experiment.experiment_id],
        );
        for (let at = 0; at < rows.length; at += TOGETHER)
          for (const record of await withData(store, rows.slice(at, at + TOGETHER))) {
            const { model_id: id, artifact_uri, name } = record;
            const owner = { experiment_name: experiment.name, of: { kind: of.kind, id, name } };
            yield { of, record, ...ownFiles(store, { id, artifact_uri, ...owner }) };
          }
      }
    },
  };
}

/** One logged model by its id; `undefined` where there is none, or a deleted one. */
export async function readModel(store: Store, model_id: string): Promise<LoggedModel | undefined> {
  const rows = await checkedRows(
    store,
    modelRow,
    `SELECT ${store.tables.columns('logged_models', Object.keys(modelRow.shape))} FROM "logged_models"` +
      ` WHERE "model_id" = ? AND COALESCE("lifecycle_stage", 'active') = 'active'`,
    [model_id],
  );
  return (await withData(store, rows))[0];
}

async function noteDeleted(store: Store, { experiment_id, name }: Experiment): Promise<void> {
  const [row] = await checkedRows(
    store,
    countRow,
    `SELECT count(*) AS "count" FROM "logged_models" WHERE "experiment_id" = ? AND "lifecycle_stage" = 'deleted'`,
    [experiment_id],
  );
  const count = Number(row?.count ?? 0);
  if (count === 0) return;
  const detail = 'deleted logged models are left out: no server tells of them, and none takes one';
  store.note({ code: 'LOGGED_MODELS', experiment_name: name, count, detail });
}

async function withData(store: Store, rows: readonly ModelRow[]): Promise<LoggedModel[]> {
  const { tables } = store;
  const ids = rows.map(({ model_id }) => model_id);
  const paramsOf = await pairsOf(
    store,
    { table: 'logged_model_params', own: 'model_id', key: 'param_key', value: 'param_value' },
    ids,
  );
  const tagsOf = await pairsOf(
    store,
    { table: 'logged_model_tags', own: 'model_id', key: 'tag_key', value: 'tag_value' },
    ids,
  );
  const columns = tables.columns('logged_model_metrics', Object.keys(metricRow.shape));
  const metrics = Map.groupBy(
    await rowsOf(
      store,
      metricRow,
      ids,
      (list) => `SELECT ${columns} FROM "logged_model_metrics" WHERE "model_id" IN ${list}`,
    ),
    ({ model_id }) => model_id,
  );
  return rows.map(({ artifact_location, status, model_type, source_run_id, status_message, ...row }) => ({
    kind: 'logged_model',
    ...row,
    ...(model_type === undefined ? {} : { model_type }),
    ...(source_run_id === undefined ? {} : { source_run_id }),
    ...(status_message === undefined ? {} : { status_message }),
    status: MODEL_STATUSES[Number(status)] ?? MODEL_STATUSES[0],
    artifact_uri: artifact_location,
    params: paramsOf(row.model_id),
    tags: tagsOf(row.model_id),
    metrics: sortModelMetrics((metrics.get(row.model_id) ?? []).map(metricOf)),
  }));
}

function metricOf({ run_id, dataset_name, dataset_digest, ...row }: z.infer<typeof metricRow>): ModelMetric {
  return {
    key: row.metric_name,
    step: row.metric_step,
    timestamp: row.metric_timestamp_ms,
    value: fromDouble(row.metric_value),
    ...(run_id === undefined ? {} : { run_id }),
    ...(dataset_name === undefined ? {} : { dataset_name }),
    ...(dataset_digest === undefined ? {} : { dataset_digest }),
  };
}
