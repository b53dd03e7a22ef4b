import type { LoggedModel } from '../../model/logged-model.ts';
import { rootOfModel } from '../served-roots.ts';
import { integer, keyValues, list } from './json-values.ts';
import { metricAnswer } from './run-answer.ts';

/** A logged model as MLflow's servers tell it. */
export function modelAnswer(model: LoggedModel): unknown {
  const { model_id, experiment_id, name, status, status_message, model_type, source_run_id } = model;
  return {
    info: {
      model_id,
      experiment_id,
      name,
      creation_timestamp_ms: integer(model.creation_timestamp_ms),
      last_updated_timestamp_ms: integer(model.last_updated_timestamp_ms),
      artifact_uri: rootOfModel(experiment_id, model_id),
      status,
      model_type,
      source_run_id,
      status_message,
      tags: keyValues(model.tags),
    },
    data: {
      params: keyValues(model.params),
      metrics: list(
        model.metrics.map(({ key, step, timestamp, value, run_id, dataset_name, dataset_digest }) => ({
          ...metricAnswer(key, [step, timestamp, value]),
          dataset_name,
          dataset_digest,
          model_id,
          run_id,
        })),
      ),
    },
  };
}
