import { toDouble } from '../model/metric-value.ts';
import { DATASET_CONTEXT_TAG, RUN_NAME_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import { MlferryError } from '../util/errors.ts';
import type { HistoryAggregates } from './aggregates.ts';
import type { Subject } from './expression.ts';

/** The value of a subject in one record; several where a run has several datasets, none where the key is missing. */
export type Values = readonly (number | bigint | string)[];

/** The values of a subject in a run. `aggregates`: see `evaluate`. */
export function runValues(
  subject: Subject,
  run: Run,
  aggregates: (key: string) => HistoryAggregates | undefined,
): Values {
  switch (subject.entity) {
    case 'metric':
      return metricValues(subject, run, aggregates);
    case 'param':
      return present(ownValue(run.params, subject.key));
    case 'tag':
      return present(ownValue(run.tags, subject.key));
    case 'dataset':
      return run.dataset_inputs.flatMap(({ dataset, tags }) =>
        present(subject.key === 'context' ? ownValue(tags, DATASET_CONTEXT_TAG) : dataset[subject.key]),
      );
    case 'metadata':
    case 'feedback':
    case 'expectation':
      throw new MlferryError('BUG', `Runs have no ${subject.entity}`);
    case 'attribute':
      // MLflow searches names by the tag, so a run without it is not found by any name.
      if (subject.key === 'run_name') return present(ownValue(run.tags, RUN_NAME_TAG));
      return runField(run, subject.key);
  }
}

function runField(run: Run, key: string): Values {
  switch (key) {
    case 'run_id':
    case 'user_id':
    case 'status':
    case 'artifact_uri':
    case 'experiment_id':
    case 'lifecycle_stage':
      return [run[key]];
    case 'start_time':
    case 'end_time':
    case 'deleted_time':
      return integers(run[key]);
    default:
      throw new MlferryError('BUG', `Runs have no attribute ${key}`);
  }
}

/** The values of a subject in an experiment. */
export function experimentValues(subject: Subject, experiment: Experiment): Values {
  if (subject.entity === 'tag') return present(ownValue(experiment.tags, subject.key));
  switch (subject.key) {
    case 'name':
    case 'experiment_id':
    case 'lifecycle_stage':
    case 'artifact_location':
      return [experiment[subject.key]];
    case 'creation_time':
    case 'last_update_time':
      return integers(experiment[subject.key]);
    default:
      throw new MlferryError('BUG', `Experiments have no ${subject.entity} ${subject.key}`);
  }
}

function metricValues(
  { key, aggregate }: Extract<Subject, { entity: 'metric' }>,
  run: Run,
  aggregates: (key: string) => HistoryAggregates | undefined,
): Values {
  const latest = ownValue(run.latest_metrics, key);
  if (latest === undefined) return aggregate === 'COUNT' ? [0] : [];
  if (aggregate === undefined || aggregate === 'LATEST') return [storable(toDouble(latest[2]))];
  const history = aggregates(key);
  if (history === undefined) {
    throw new MlferryError('BUG', `Run ${run.run_id}: the history of metric ${key} was not read`);
  }
  switch (aggregate) {
    case 'MIN':
      return [storable(history.min)];
    case 'MAX':
      return [storable(history.max)];
    case 'FIRST':
      return [storable(toDouble(history.first[2]))];
    case 'COUNT':
      return [history.count];
  }
}

/** SQL stores keep ±Infinity as the greatest double, so a run compares the same before and after a copy. */
export function storable(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}

/** The value of a field that may be missing. */
export function present(value: string | undefined): Values {
  return value === undefined ? [] : [value];
}

/** A time or another whole number. */
export function integers(value: number | string | null | undefined): Values {
  if (value === undefined || value === null) return [];
  return [typeof value === 'number' ? value : BigInt(value)];
}
