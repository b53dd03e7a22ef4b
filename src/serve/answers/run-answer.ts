import type { MetricValue } from '../../model/metric-value.ts';
import type { Point, Run } from '../../model/records.ts';
import { rootOfRun } from '../served-roots.ts';
import { integer, keyValues, list, orNothing } from './json-values.ts';

/** A point of a metric as MLflow's servers tell it. */
export function metricAnswer(key: string, [step, timestamp, value]: Point): MetricAnswer {
  return { key, value, timestamp: integer(timestamp), step: integer(step) };
}
interface MetricAnswer {
  readonly key: string;
  readonly value: MetricValue;
  readonly timestamp: unknown;
  readonly step: unknown;
}

/** A run as MLflow's servers tell it. */
export function runAnswer(run: Run): unknown {
  const { run_id, experiment_id, run_name, user_id, status, lifecycle_stage, start_time, end_time } = run;
  const { dataset_inputs, model_inputs, model_outputs, params, tags, latest_metrics } = run;
  return {
    info: {
      run_uuid: run_id,
      run_id,
      run_name,
      experiment_id,
      user_id,
      status,
      start_time: orNothing(start_time),
      end_time: orNothing(end_time),
      artifact_uri: rootOfRun(experiment_id, run_id),
      lifecycle_stage,
    },
    data: {
      metrics: list(Object.entries(latest_metrics).map(([key, point]) => metricAnswer(key, point))),
      params: keyValues(params),
      tags: keyValues(tags),
    },
    inputs: {
      model_inputs,
      dataset_inputs: list(
        dataset_inputs.map(({ dataset, tags: own }) => ({ tags: keyValues(own), dataset })),
      ),
    },
    outputs:
      model_outputs === undefined
        ? undefined
        : {
            model_outputs: model_outputs.map(({ model_id, step }) => ({ model_id, step: integer(step) })),
          },
  };
}
