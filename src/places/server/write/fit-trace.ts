import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { traceIdOf } from '../../../model/mlflow/trace-data.ts';
import { previewsIn } from '../../../model/mlflow/trace-fields.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import type { Span, Trace } from '../../../model/trace.ts';
import { isMap, parseTypedJson, printTypedJson, type TypedJson } from '../../../model/typed-json.ts';
import { withOwnIds } from '../../writing/own-assessment-ids.ts';

/** Metadata that a server with spans in its store works out from them by itself, where nothing else is said. */
const DERIVED = [
  'mlflow.trace.tokenUsage',
  'mlflow.trace.cost',
  'mlflow.trace.session',
  'mlflow.trace.user',
] as const;
/** Of these, MLflow 3.17 keeps the numbers it knows, in columns. */
const IN_COLUMNS: ReadonlySet<string> = new Set(['mlflow.trace.tokenUsage', 'mlflow.trace.cost']);

/** A trace, already in the server's ids, as it is sent: without the marks of an earlier copy. */
export function fitTrace(wanted: Trace): Trace {
  return { ...wanted, tags: withoutBookkeeping(wanted.tags) };
}

/** The same for a server of MLflow before 3.3, and what it has no place for. */
export function fitOlderTrace(wanted: Trace): { readonly trace: Trace; readonly losses: readonly RunLoss[] } {
  const { client_request_id, request_preview, response_preview, assessments, linked_runs, ...rest } = wanted;
  const previews = previewsIn(wanted.trace_metadata);
  const lost: readonly (readonly [field: string, count: number, content: boolean])[] = [
    ['client_request_id', client_request_id === undefined ? 0 : 1, true],
    ['assessments', assessments.length, true],
    ['linked_runs', linked_runs.length, true],
    ['request_preview', request_preview === previews.request_preview ? 0 : 1, false],
    ['response_preview', response_preview === previews.response_preview ? 0 : 1, false],
  ];
  const losses = lost.flatMap(([key, count, left_behind]): RunLoss[] => {
    const detail = `a server of MLflow before 3.3 has no ${key.replace('_', ' ')} of traces`;
    return count === 0 ? [] : [{ code: 'TRACE_FIELDS', key, count, left_behind, detail }];
  });
  const trace = fitTrace({ ...rest, ...previews, assessments: [], linked_runs: [] });
  return { trace, losses };
}

/** Spans as they stand in a trace of another id: in the store they have that id, in a file they keep their own. */
export function spansOf(spans: readonly Span[], inStore: boolean, from: string, to: string): Span[] {
  if (inStore) return spans.map(({ trace_id, ...span }) => span);
  if (from === to) return [...spans];
  return spans.map((span) => ({ ...span, trace_id: traceIdOf(span, from) }));
}

/** What a copy on a server must look like; see write-trace.ts. What only the server knows is taken over from it. */
export function representTrace(
  wanted: Trace,
  present: Trace,
  older = false,
): { readonly record: Trace; readonly losses: readonly RunLoss[] } {
  const { trace: fitted, losses } = older ? fitOlderTrace(wanted) : { trace: fitTrace(wanted), losses: [] };
  const metadata = Object.entries(fitted.trace_metadata).map(([key, value]): [string, string] => {
    const held = ownValue(present.trace_metadata, key);
    if (held === undefined || held === value) return [key, value];
    // Servers tell no more than the beginning, and keep all.
    if (value.startsWith(held) && [...held].length === 250) return [key, held];
    return [key, IN_COLUMNS.has(key) && isPartOf(held, value) ? held : value];
  });
  const derived = DERIVED.flatMap((key): [string, string][] => {
    const held = ownValue(present.trace_metadata, key);
    return held === undefined || Object.hasOwn(fitted.trace_metadata, key) ? [] : [[key, held]];
  });
  const inStore = present.spans_location !== 'ARTIFACT_REPO';
  const ids = new Set(present.assessments.map(({ assessment_id }) => assessment_id));
  const own = withOwnIds(fitted.assessments, present.trace_id);
  const spans = new Map(present.spans.map((span) => [span.span_id, span]));
  const { execution_duration } = present;
  const record = {
    ...fitted,
    // The older API knows no end without a time.
    ...(older && fitted.execution_duration === undefined && execution_duration !== undefined
      ? { execution_duration }
      : {}),
    // Whether it got another id is seen by those of its parts.
    assessments: own.some(({ assessment_id }) => ids.has(assessment_id)) ? own : fitted.assessments,
    trace_metadata: Object.fromEntries([...metadata, ...derived]),
    tags: cutTags(fitted.tags, present.tags),
    spans: inStore
      ? spansOf(fitted.spans, true, present.trace_id, present.trace_id)
      : fitted.spans.map((span) => {
          const trace_id = span.trace_id ?? spans.get(span.span_id)?.trace_id;
          return trace_id === undefined ? span : { ...span, trace_id };
        }),
  };
  return { record, losses };
}

function cutTags(wanted: StringMap, present: StringMap): StringMap {
  return Object.fromEntries(
    Object.entries(wanted).map(([key, value]) => {
      const held = ownValue(present, key);
      return [key, held !== undefined && value.startsWith(held) && [...held].length === 4096 ? held : value];
    }),
  );
}

/** Whether a JSON object has nothing that the other has not. */
function isPartOf(part: string, whole: string): boolean {
  try {
    const [a, b]: TypedJson[] = [parseTypedJson(part), parseTypedJson(whole)];
    if (a === undefined || b === undefined || !isMap(a) || !isMap(b)) return false;
    return [...a].every(([key, value]) => {
      const other = b.get(key);
      return other !== undefined && Number(printTypedJson(value)) === Number(printTypedJson(other));
    });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}
