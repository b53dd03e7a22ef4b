import {
  ARTIFACT_LOCATION_TAG,
  assessmentBody,
  durationText,
  metadataOf,
  timestampText,
} from '../../model/mlflow/trace-fields.ts';
import type { Trace } from '../../model/trace.ts';
import { rootOfTrace } from '../served-roots.ts';
import { integer, keyValues, list, orNothing } from './json-values.ts';

/** What is known of a trace as MLflow 3.3 and newer tell it. Its spans are in a file, whatever place has it. */
export function traceAnswer(trace: Trace): unknown {
  const { trace_id, experiment_id, client_request_id, request_preview, response_preview, state } = trace;
  return {
    trace_id,
    client_request_id,
    trace_location: { type: 'MLFLOW_EXPERIMENT', mlflow_experiment: { experiment_id } },
    request_preview,
    response_preview,
    request_time: timestampText(trace.request_time),
    execution_duration:
      trace.execution_duration === undefined ? undefined : durationText(trace.execution_duration),
    state,
    trace_metadata: metadataOf(trace),
    assessments: list(trace.assessments.map((assessment) => assessmentBody(trace_id, assessment))),
    tags: { ...trace.tags, [ARTIFACT_LOCATION_TAG]: rootOfTrace(experiment_id, trace_id) },
  };
}

/** The same as MLflow 2.14 to 3.2 tell it. */
export function olderTraceAnswer(trace: Trace): unknown {
  const { trace_id, experiment_id, request_time, execution_duration, state, tags } = trace;
  const location = rootOfTrace(experiment_id, trace_id, true);
  return {
    request_id: trace_id,
    experiment_id,
    timestamp_ms: integer(request_time),
    execution_time_ms: orNothing(execution_duration),
    status: state === 'STATE_UNSPECIFIED' ? 'TRACE_STATUS_UNSPECIFIED' : state,
    request_metadata: keyValues(metadataOf(trace)),
    tags: keyValues({ ...tags, [ARTIFACT_LOCATION_TAG]: location }),
  };
}
