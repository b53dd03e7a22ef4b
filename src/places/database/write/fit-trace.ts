import { z } from 'zod';
import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { TRACE_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { previewsIn } from '../../../model/mlflow/trace-fields.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import type { Assessment, Trace } from '../../../model/trace.ts';
import { isSameJson } from '../../../model/typed-json.ts';
import { withOwnIds } from '../../writing/own-assessment-ids.ts';
import type { Store } from '../read/store.ts';
import { COST, PROMOTED, promotedMaps, SESSION, TOKEN_USAGE } from '../read/trace-columns.ts';
import { promotedCells } from './promoted-values.ts';
import { textFitter } from './text-fitter.ts';

const KEYED = { key: 'key', value: 'value' };
const promotedRow = z.object(PROMOTED);

/** A trace, already in the database's ids, as it holds it, and what it loses; see write-trace.ts. */
export function fitTrace(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: Trace,
): { readonly record: Trace; readonly losses: readonly RunLoss[] } {
  const fitter = textFitter(store, 'trace');
  const { tables } = store;
  const losses: RunLoss[] = [];
  const lost = (key: string, count: number, left_behind = true) => {
    if (count === 0) return;
    const detail = `this schema of MLflow’s database has no ${key.replaceAll('_', ' ')} of traces`;
    losses.push({ code: 'TRACE_FIELDS', key, count, left_behind, detail });
  };
  const { client_request_id, request_preview, response_preview, execution_duration, ...rest } = wanted;
  const hasPreviews = tables.has('trace_info', 'request_preview');
  const told = previewsIn(wanted.trace_metadata);
  const text = (
    key: 'client_request_id' | 'request_preview' | 'response_preview',
    value: string | undefined,
  ) => (value === undefined || !hasPreviews ? {} : { [key]: fitter.text('trace_info', key, key, value) });
  if (!hasPreviews) {
    lost('client_request_id', client_request_id === undefined ? 0 : 1);
    for (const key of ['request_preview', 'response_preview'] as const)
      lost(key, wanted[key] === told[key] ? 0 : 1, false);
  }
  const hasAssessments = tables.has('assessments');
  const hasLinks = tables.has('entity_associations');
  if (!hasAssessments) lost('assessments', wanted.assessments.length);
  if (!hasLinks) lost('linked_runs', wanted.linked_runs.length);
  const maps = fitMaps(store, fitter, wanted);
  const record: Trace = {
    ...rest,
    ...text('client_request_id', client_request_id),
    ...(execution_duration === undefined ? {} : { execution_duration }),
    ...text('request_preview', request_preview),
    ...text('response_preview', response_preview),
    ...(hasPreviews ? {} : previewsIn(maps.trace_metadata)),
    ...maps,
    linked_runs: hasLinks ? wanted.linked_runs : [],
    assessments: hasAssessments ? wanted.assessments.map((each) => fitAssessment(fitter, each)) : [],
  };
  return { record, losses: [...losses, ...fitter.losses] };
}

/** Metadata and tags: what newest schemas keep in columns is what these hold of it. */
function fitMaps(
  { tables }: Pick<Store, 'tables'>,
  { map, text, lost }: ReturnType<typeof textFitter>,
  wanted: Trace,
): Pick<Trace, 'trace_metadata' | 'tags'> {
  const tags = withoutBookkeeping(wanted.tags);
  if (!tables.has('trace_info', 'trace_name'))
    return {
      trace_metadata: map('trace_request_metadata', KEYED, wanted.trace_metadata),
      tags: map('trace_tags', KEYED, tags),
    };
  const without = (from: StringMap, keys: readonly string[]) =>
    Object.fromEntries(Object.entries(from).filter(([key]) => !keys.includes(key)));
  const cut = (from: StringMap, key: string, column: string): StringMap => {
    const value = ownValue(from, key);
    return value === undefined ? {} : { [key]: text('trace_info', column, key, value) };
  };
  const cells = promotedCells({
    trace_metadata: { ...wanted.trace_metadata, ...cut(wanted.trace_metadata, SESSION, 'session_id') },
    tags: cut(tags, TRACE_NAME_TAG, 'trace_name'),
  });
  const promoted = promotedMaps(promotedRow.parse(Object.fromEntries(cells)));
  for (const key of [TOKEN_USAGE, COST]) {
    const value = ownValue(wanted.trace_metadata, key);
    const kept = ownValue(promoted.trace_metadata, key);
    if (value === undefined || isSameNumbers(value, kept ?? '{}')) continue;
    lost('TRACE_FIELDS', key, 'its columns hold numbers of known names alone');
  }
  return {
    trace_metadata: {
      ...map('trace_request_metadata', KEYED, without(wanted.trace_metadata, [SESSION, TOKEN_USAGE, COST])),
      ...promoted.trace_metadata,
    },
    tags: { ...map('trace_tags', KEYED, without(tags, [TRACE_NAME_TAG])), ...promoted.tags },
  };
}

/** Whether two JSON objects of numbers are the same, however these are spelt. */
function isSameNumbers(a: string, b: string): boolean {
  const plain = (json: string): string => {
    try {
      return JSON.stringify(JSON.parse(json));
    } catch {
      return json;
    }
  };
  return isSameJson(plain(a), plain(b));
}

function fitAssessment({ text }: ReturnType<typeof textFitter>, assessment: Assessment): Assessment {
  const { source, assessment_id } = assessment;
  const field = (column: string, value: string) =>
    text('assessments', column, `assessment ${assessment_id}: ${column}`, value);
  return {
    ...assessment,
    assessment_name: field('name', assessment.assessment_name),
    source: {
      source_type: field('source_type', source.source_type),
      ...(source.source_id === undefined ? {} : { source_id: field('source_id', source.source_id) }),
    },
    ...(assessment.rationale === undefined ? {} : { rationale: field('rationale', assessment.rationale) }),
  };
}

/** What a copy in a database must look like. Where its spans are they have OpenTelemetry's id of their trace or not. */
export function representTrace(
  store: Pick<Store, 'database' | 'tables'>,
  wanted: Trace,
  present: Trace,
): ReturnType<typeof fitTrace> {
  const { record, losses } = fitTrace(store, wanted);
  const spans = new Map(present.spans.map((span) => [span.span_id, span]));
  const ids = new Set(present.assessments.map(({ assessment_id }) => assessment_id));
  const own = withOwnIds(record.assessments, present.trace_id);
  return {
    record: {
      ...record,
      // Whether it got another id is seen by those of its parts.
      assessments: own.some(({ assessment_id }) => ids.has(assessment_id)) ? own : record.assessments,
      spans: record.spans.map((span) => {
        const trace_id = span.trace_id ?? spans.get(span.span_id)?.trace_id;
        return trace_id === undefined ? span : { ...span, trace_id };
      }),
    },
    losses,
  };
}
