import { TRACE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { printSpan } from '../../../model/mlflow/trace-data.ts';
import { ASSESSMENT_RUN, metadataOf } from '../../../model/mlflow/trace-fields.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { Assessment, Span, Trace } from '../../../model/trace.ts';
import { isNumber, parseTypedJson, type TypedJson } from '../../../model/typed-json.ts';
import type { Tables } from '../connect/tables.ts';
import { COST, COSTS, SESSION, TOKEN_USAGE } from '../read/trace-columns.ts';
import { finiteField, jsonFields, promotedCells } from './promoted-values.ts';
import type { Cells } from './rows.ts';

/** Rows of a trace as MLflow writes them (mlflow/store/tracking/sqlalchemy_store.py, start_trace and log_spans). */

/** Metadata of a trace whose own fields are final, so that spans that are logged later do not change them (3.17). */
const FINALIZED = 'mlflow.trace.infoFinalized';

/** What of `trace_info` a copy may change. */
export function infoCells(tables: Tables, trace: Trace): Cells {
  const isOlder = !tables.has('trace_info', 'request_preview');
  const unknown = isOlder ? 'TRACE_STATUS_UNSPECIFIED' : 'STATE_UNSPECIFIED';
  const cells: Cells = [
    ['timestamp_ms', trace.request_time],
    ['execution_time_ms', trace.execution_duration ?? null],
    ['status', trace.state === 'STATE_UNSPECIFIED' ? unknown : trace.state],
    ['client_request_id', trace.client_request_id ?? null],
    ['request_preview', trace.request_preview ?? null],
    ['response_preview', trace.response_preview ?? null],
    ...promotedCells(trace),
  ];
  return cells.filter(([column]) => tables.has('trace_info', column));
}

/** The maps of a trace, without what stands in columns. */
export function traceMaps(tables: Tables, trace: Trace) {
  const isPromoted = tables.has('trace_info', 'trace_name');
  const without = (map: Readonly<Record<string, string>>, keys: readonly string[]) =>
    Object.fromEntries(Object.entries(map).filter(([key]) => !isPromoted || !keys.includes(key)));
  const isFinal = isPromoted && trace.state !== 'IN_PROGRESS';
  return {
    metadata: {
      ...without(metadataOf(trace), [SESSION, TOKEN_USAGE, COST]),
      ...(isFinal ? { [FINALIZED]: 'true' } : {}),
    },
    tags: without(trace.tags, [TRACE_NAME_TAG]),
  };
}

/** A value of an attribute, which is a JSON text. */
function textAttribute({ attributes }: Span, key: string): string | null {
  const json = ownValue(attributes, key);
  try {
    const value = json === undefined ? null : parseTypedJson(json);
    return typeof value === 'string' ? [...value].slice(0, 500).join('') : null;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return null;
  }
}

/** Model and provider of a span, by which MLflow groups costs. */
export const dimensionsOf = (span: Span) => ({
  'mlflow.llm.model': textAttribute(span, 'mlflow.llm.model'),
  'mlflow.llm.provider': textAttribute(span, 'mlflow.llm.provider'),
});

/** What a span cost, where it tells. */
export function costsOf({ attributes }: Span): ReadonlyArray<readonly [name: string, value: number]> {
  const fields = jsonFields(ownValue(attributes, 'mlflow.llm.cost'));
  return COSTS.flatMap((name) => {
    const value = finiteField(fields, name);
    return value === undefined ? [] : [[name, value] as const];
  });
}

/** A row of `spans`, without whose it is. */
export function spanCells(tables: Tables, { trace_id, experiment_id }: Trace, span: Span): Cells {
  const { 'mlflow.llm.model': model_name, 'mlflow.llm.provider': model_provider } = dimensionsOf(span);
  const costs = new Map(costsOf(span));
  const dimensions = Object.fromEntries(
    Object.entries(dimensionsOf(span)).filter(([, value]) => value !== null),
  );
  const cells: Cells = [
    ['experiment_id', experiment_id],
    ['parent_span_id', span.parent_span_id ?? null],
    ['name', span.name.replaceAll('\0', '\uFFFD').toWellFormed()],
    ['type', textAttribute(span, 'mlflow.spanType')],
    ['status', span.status_code],
    ['start_time_unix_nano', span.start_time_unix_nano],
    ['end_time_unix_nano', span.end_time_unix_nano ?? null],
    ['content', printSpan(span, trace_id)],
    ['model_name', model_name],
    ['model_provider', model_provider],
    ...COSTS.map((name) => [name, costs.get(name) ?? null] as const),
    ['dimension_attributes', Object.keys(dimensions).length === 0 ? null : JSON.stringify(dimensions)],
  ];
  return cells.filter(([column]) => tables.has('spans', column));
}

/** A row of `assessments`, without its id. */
export function assessmentCells(
  tables: Tables,
  { trace_id, experiment_id, request_time }: Trace,
  assessment: Assessment,
): Cells {
  const { source, source_run_id, feedback, expectation, issue } = assessment;
  const metadata = {
    ...assessment.metadata,
    ...(source_run_id === undefined ? {} : { [ASSESSMENT_RUN]: source_run_id }),
  };
  const error = feedback?.error;
  const [type, value] =
    feedback !== undefined
      ? (['feedback', feedback.value ?? 'null'] as const)
      : expectation !== undefined
        ? (['expectation', expectation.value ?? 'null'] as const)
        : (['issue', JSON.stringify(issue ?? {})] as const);
  const [aggregate, isNumeric] = aggregateOf(value);
  const cells: Cells = [
    ['trace_id', trace_id],
    ['name', assessment.assessment_name],
    ['assessment_type', type],
    ['value', value],
    [
      'error',
      error === undefined
        ? null
        : JSON.stringify({ error_code: '', error_message: null, stack_trace: null, ...error }),
    ],
    ['created_timestamp', assessment.create_time],
    ['last_updated_timestamp', assessment.last_update_time],
    ['source_type', source.source_type],
    ['source_id', source.source_id ?? null],
    ['run_id', source_run_id !== undefined && source_run_id.length <= 32 ? source_run_id : null],
    ['span_id', assessment.span_id ?? null],
    ['rationale', assessment.rationale ?? null],
    ['overrides', assessment.overrides ?? null],
    ['valid', assessment.valid],
    ['assessment_metadata', Object.keys(metadata).length === 0 ? null : JSON.stringify(metadata)],
    ['experiment_id', experiment_id],
    ['trace_timestamp_ms', request_time],
    ['aggregate_value', aggregate],
    ['is_numeric_value', isNumeric],
  ];
  return cells.filter(([column]) => tables.has('assessments', column));
}

/** The number that MLflow makes of a value for its charts, and whether it is one itself (trace_analytics.py). */
function aggregateOf(json: string): readonly [number | null, boolean] {
  let value: TypedJson;
  try {
    value = parseTypedJson(json);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return [null, false];
  }
  if (typeof value === 'boolean') return [value ? 1 : 0, false];
  if (typeof value === 'string') {
    const said = value.trim().toLowerCase();
    return [said === 'yes' ? 1 : said === 'no' ? 0 : null, false];
  }
  const number = isNumber(value) ? Number(value.number) : Number.NaN;
  return Number.isFinite(number) ? [number, true] : [null, false];
}
