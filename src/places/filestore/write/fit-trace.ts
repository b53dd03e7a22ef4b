import { withoutBookkeeping } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Trace } from '../../../model/trace.ts';
import { createKeySpace } from '../layout/key-paths.ts';

/** An assessment's id as it can be the name of a file; MLflow takes what stands before the first dot. */
const ASSESSMENT_ID = /^[\w-]{1,200}$/;

/** A trace as files can hold it. `directory` is where it stands, for the length of paths. */
export function fitTrace(
  wanted: Trace,
  directory: string,
): { readonly record: Trace; readonly losses: readonly RunLoss[] } {
  const losses: RunLoss[] = [];
  const keep = (values: StringMap, name: string): StringMap => {
    const problemOf = createKeySpace(`${directory}/${name}`);
    const sorted = Object.entries(values).sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(
      sorted.filter(([key, value]) => {
        const problem = value.isWellFormed() ? problemOf(key) : 'it holds half a character';
        if (problem === undefined) return true;
        const detail = `no file can hold this value of the trace: ${problem}`;
        losses.push({ code: 'KEY_NOT_ALLOWED', left_behind: true, key, detail });
        return false;
      }),
    );
  };
  const assessments = wanted.assessments.filter(({ assessment_id }) => ASSESSMENT_ID.test(assessment_id));
  const lost = [
    [
      'assessments',
      wanted.assessments.length - assessments.length,
      'an id that cannot be the name of a file',
    ],
    [
      'linked_runs',
      wanted.linked_runs.length,
      'runs that it was linked to, which a directory has no place for',
    ],
  ] as const;
  for (const [key, count, what] of lost)
    if (count > 0)
      losses.push({ code: 'TRACE_FIELDS', key, count, detail: `the trace has ${what}: left out` });
  const record = {
    ...wanted,
    tags: keep(withoutBookkeeping(wanted.tags), 'tags'),
    trace_metadata: keep(wanted.trace_metadata, 'request_metadata'),
    assessments,
    linked_runs: [],
  };
  return { record, losses };
}

/** What a copy in a store must look like; see write-trace.ts, which makes it so. */
export function representTrace(wanted: Trace, present: Trace) {
  const { record, losses } = fitTrace(wanted, present.artifact_uri);
  const spans = new Map(present.spans.map((span) => [span.span_id, span]));
  return {
    record: {
      ...record,
      spans: record.spans.map((span) => {
        const trace_id = span.trace_id ?? spans.get(span.span_id)?.trace_id;
        return trace_id === undefined ? span : { ...span, trace_id };
      }),
    },
    losses,
  };
}
