import type { RunLoss } from '../../../model/fit-run.ts';
import { type LoggedModel, type ModelMetric, sortModelMetrics } from '../../../model/logged-model.ts';
import { createKeySpace } from '../layout/key-paths.ts';
import { createOversizeFile, type OversizeFile } from '../layout/oversize.ts';
import { holdable } from './run-context.ts';

/** A value that can stand in a file: it names its run. */
export type HeldMetric = ModelMetric & { readonly run_id: string };

/** What of a logged model can stand in files. */
export interface HeldModel {
  readonly params: ReadonlyArray<readonly [string, string]>;
  readonly tags: ReadonlyArray<readonly [string, string]>;
  readonly metrics: readonly HeldMetric[];
}

/** Sorts a model's texts and values: what cannot stand in files below `directory` goes to `oversize` and is noted. */
export function holdModel(
  { params, tags, metrics }: Pick<LoggedModel, 'params' | 'tags' | 'metrics'>,
  directory: string,
  note: (loss: RunLoss) => void,
  oversize: OversizeFile,
): HeldModel {
  const job = { runDir: directory, note };
  const problemOf = createKeySpace(`${directory}/metrics`);
  const held: HeldMetric[] = [];
  for (const metric of metrics) {
    const { key, run_id } = metric;
    const problem = run_id === undefined ? 'it names no run' : problemOf(key);
    if (problem === undefined && run_id !== undefined) held.push(withDataset({ ...metric, run_id }, note));
    else
      note({
        code: 'KEY_NOT_ALLOWED',
        left_behind: true,
        key,
        detail: `a store cannot hold this value of the model: ${problem}`,
      });
  }
  return {
    params: holdable('params', params, [], job, oversize),
    tags: holdable('tags', tags, [], job, oversize),
    metrics: held,
  };
}

/** MLflow separates the fields of a line by spaces, and reads no model of the experiment when there are too many. */
function withDataset(metric: HeldMetric, note: (loss: RunLoss) => void): HeldMetric {
  const { dataset_name = '', dataset_digest = '', ...rest } = metric;
  if (/^[^\s]+$/.test(dataset_name) && /^[^\s]+$/.test(dataset_digest)) return metric;
  if (dataset_name !== '' || dataset_digest !== '') {
    const detail = `a store cannot hold the name of the dataset, "${dataset_name}", beside a value of a model: the value has none`;
    note({ code: 'DATASET_DIFFERS', left_behind: true, key: metric.key, detail });
  }
  return rest;
}

/** What a copy in a store must look like; see write-logged-model.ts, which makes it so. */
export function representModel(
  wanted: LoggedModel,
  present: LoggedModel,
): { readonly record: LoggedModel; readonly losses: readonly RunLoss[] } {
  const losses: RunLoss[] = [];
  const held = holdModel(
    wanted,
    present.artifact_uri,
    (loss) => losses.push(loss),
    createOversizeFile(undefined),
  );
  const record = {
    ...wanted,
    params: Object.fromEntries(held.params),
    tags: Object.fromEntries(held.tags),
    metrics: sortModelMetrics(held.metrics),
  };
  return { record, losses };
}
