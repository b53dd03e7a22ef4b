import {
  assessmentBody,
  durationText,
  metadataOf,
  timestampText,
} from '../../../model/mlflow/trace-fields.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Trace } from '../../../model/trace.ts';

/** A trace without its spans as the API takes it; `marks` are tags besides its own. */
export function traceBody(trace: Trace, marks: StringMap): Readonly<Record<string, unknown>> {
  const { trace_id, experiment_id, client_request_id, request_preview, response_preview, state } = trace;
  const { request_time, execution_duration, assessments, tags } = trace;
  return {
    trace_id,
    trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } },
    request_time: timestampText(request_time),
    ...(execution_duration === undefined ? {} : { execution_duration: durationText(execution_duration) }),
    state,
    client_request_id,
    request_preview,
    response_preview,
    trace_metadata: metadataOf(trace),
    tags: { ...tags, ...marks },
    assessments: assessments.map((assessment) => assessmentBody(trace_id, assessment)),
  };
}

/** The beginning of a trace as the API before MLflow 3.3 takes it. */
export function olderTraceBody(trace: Trace, marks: StringMap) {
  const pairs = (map: StringMap) => Object.entries(map).map(([key, value]) => ({ key, value }));
  return {
    experiment_id: trace.experiment_id,
    timestamp_ms: trace.request_time,
    request_metadata: pairs(metadataOf(trace)),
    tags: pairs({ ...trace.tags, ...marks }),
  };
}
