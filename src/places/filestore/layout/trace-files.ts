import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  ARTIFACT_LOCATION_TAG,
  ASSESSMENT_RUN,
  metadataOf,
  timestampText,
} from '../../../model/mlflow/trace-fields.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Assessment, Trace } from '../../../model/trace.ts';
import { parseTypedJson } from '../../../model/typed-json.ts';
import { isAbsent } from '../../../util/errors.ts';
import { flowYaml, formatMetaYaml } from './meta-yaml.ts';

/** Files of a trace, below `traces/<trace_id>` of its experiment (MLflow 2.14 to 3.17, mlflow/store/tracking/file_store.py). */

export const TRACES = 'traces';
export const TRACE_FILE = 'trace_info.yaml';
export const METADATA = 'request_metadata';
export const ASSESSMENTS = 'assessments';

/** Paths of the YAML files directly in a directory, no links, sorted; none when it is not there. */
export async function listYamlFiles(directory: string): Promise<string[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    const names = entries.flatMap((entry) =>
      entry.isFile() && entry.name.endsWith('.yaml') ? [entry.name] : [],
    );
    return names.sort().map((name) => join(directory, name));
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
}

/** The text files of a trace by their paths below its directory: all but its spans. `marks` are tags besides its own. */
export function traceFiles(record: Trace, marks: StringMap, artifact_uri: string): StringMap {
  const { trace_id, experiment_id, request_time, execution_duration, assessments, tags } = record;
  const info = formatMetaYaml({
    ...(record.client_request_id === undefined ? {} : { client_request_id: record.client_request_id }),
    ...(execution_duration === undefined ? {} : { execution_duration_ms: BigInt(execution_duration) }),
    ...(record.request_preview === undefined ? {} : { request_preview: record.request_preview }),
    request_time: timestampText(request_time),
    ...(record.response_preview === undefined ? {} : { response_preview: record.response_preview }),
    state: record.state,
    trace_id,
    trace_location: { mlflow_experiment: { experiment_id }, type: 'MLFLOW_EXPERIMENT' },
  });
  const allTags = { ...tags, ...marks, [ARTIFACT_LOCATION_TAG]: artifact_uri };
  return Object.fromEntries([
    [TRACE_FILE, info],
    ...below('tags', allTags),
    ...below(METADATA, metadataOf(record)),
    ...assessments.map((found): [string, string] => [
      `${ASSESSMENTS}/${found.assessment_id}.yaml`,
      assessmentYaml(trace_id, found),
    ]),
  ]);
}

function below(directory: string, values: StringMap): [string, string][] {
  return Object.entries(values).map(([key, value]) => [`${directory}/${key}`, value]);
}

/** An assessment as MLflow writes it (Assessment.to_dictionary). */
function assessmentYaml(
  trace_id: string,
  { feedback, expectation, issue, source, ...rest }: Assessment,
): string {
  const { assessment_id, assessment_name, create_time, last_update_time, valid, metadata } = rest;
  const { span_id, rationale, overrides, source_run_id } = rest;
  const all = { ...metadata, ...(source_run_id === undefined ? {} : { [ASSESSMENT_RUN]: source_run_id }) };
  const error = Object.fromEntries(
    Object.entries(feedback?.error ?? {}).flatMap(([key, text]) => (text === undefined ? [] : [[key, text]])),
  );
  const isText = /^[[{]/.test(expectation?.value ?? '');
  return formatMetaYaml({
    assessment_id,
    assessment_name,
    create_time: timestampText(create_time),
    ...(feedback === undefined
      ? {}
      : {
          feedback: {
            value: flowYaml(parseTypedJson(feedback.value ?? 'null')),
            ...(feedback.error === undefined ? {} : { error }),
          },
        }),
    ...(expectation === undefined
      ? {}
      : {
          expectation: isText
            ? { serialized_value: { serialization_format: 'JSON_FORMAT', value: expectation.value ?? '' } }
            : { value: flowYaml(parseTypedJson(expectation.value ?? 'null')) },
        }),
    ...(issue === undefined ? {} : { issue }),
    last_update_time: timestampText(last_update_time),
    ...(Object.keys(all).length === 0 ? {} : { metadata: all }),
    ...(overrides === undefined ? {} : { overrides }),
    ...(rationale === undefined ? {} : { rationale }),
    source: {
      ...(source.source_id === undefined ? {} : { source_id: source.source_id }),
      source_type: source.source_type,
    },
    ...(span_id === undefined ? {} : { span_id }),
    trace_id,
    valid,
  });
}
