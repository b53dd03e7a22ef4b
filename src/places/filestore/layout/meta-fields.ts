import type { Int64 } from '../../../model/int64.ts';
import { type LoggedModel, MODEL_STATUSES } from '../../../model/logged-model.ts';
import type { Experiment, Run } from '../../../model/records.ts';
import { statusNumber } from './meta-records.ts';
import type { MetaValue } from './meta-yaml.ts';

/** Fields of `meta.yaml` as MLflow writes them. */

const integer = (value: Int64 | null | undefined) =>
  value === undefined || value === null ? null : BigInt(value);

/** What of a run stands in `meta.yaml`. */
export type RunInfo = Pick<
  Run,
  | 'run_id'
  | 'experiment_id'
  | 'run_name'
  | 'user_id'
  | 'status'
  | 'start_time'
  | 'end_time'
  | 'lifecycle_stage'
  | 'deleted_time'
  | 'artifact_uri'
>;

/**
 * A run's `meta.yaml`. `run_uuid` is for MLflow 2.x, which cannot read a run without it. An unset start time becomes 0:
 * no MLflow reads a run without one.
 */
export function runMetaFields(run: RunInfo): { [key: string]: MetaValue } {
  return {
    artifact_uri: run.artifact_uri,
    ...(run.deleted_time === undefined ? {} : { deleted_time: integer(run.deleted_time) }),
    end_time: integer(run.end_time),
    entry_point_name: '',
    experiment_id: run.experiment_id,
    lifecycle_stage: run.lifecycle_stage,
    run_id: run.run_id,
    run_name: run.run_name,
    run_uuid: run.run_id,
    source_name: '',
    source_type: 4,
    source_version: '',
    start_time: integer(run.start_time ?? 0),
    status: statusNumber(run.status),
    tags: [],
    user_id: run.user_id,
  };
}

/** A logged model's `meta.yaml`. */
export function modelMetaFields(model: LoggedModel): { [key: string]: MetaValue } {
  return {
    artifact_location: model.artifact_uri,
    creation_timestamp: integer(model.creation_timestamp_ms),
    experiment_id: model.experiment_id,
    last_updated_timestamp: integer(model.last_updated_timestamp_ms),
    lifecycle_stage: 'active',
    model_id: model.model_id,
    model_type: model.model_type ?? null,
    name: model.name,
    source_run_id: model.source_run_id ?? null,
    status: MODEL_STATUSES.indexOf(model.status),
    status_message: model.status_message ?? null,
  };
}

/** An experiment's `meta.yaml`. */
export function experimentMetaFields(experiment: Omit<Experiment, 'kind' | 'tags'>): {
  [key: string]: MetaValue;
} {
  const { creation_time, last_update_time } = experiment;
  return {
    artifact_location: experiment.artifact_location,
    ...(creation_time === undefined ? {} : { creation_time: integer(creation_time) }),
    experiment_id: experiment.experiment_id,
    ...(last_update_time === undefined ? {} : { last_update_time: integer(last_update_time) }),
    lifecycle_stage: experiment.lifecycle_stage,
    name: experiment.name,
  };
}
