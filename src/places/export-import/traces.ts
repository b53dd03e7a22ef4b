import { z } from 'zod';
import { kindOf } from '../../kinds/kinds.ts';
import { compareInt64, type Int64, int64Answer } from '../../model/int64.ts';
import {
  ASSESSMENT_RUN,
  assessmentJson,
  previewsIn,
  stateOf,
  type TraceInfo,
  timestampText,
  traceInfo,
} from '../../model/mlflow/trace-fields.ts';
import { type Trace, trace } from '../../model/trace.ts';
import type { ObjectReader, ObjectSource } from '../objects.ts';
import { readSpans, SPANS_FILE } from '../reading/span-file.ts';
import type { Catalogue } from './catalogue.ts';
import { checked, exportId, exportTags, readExportFile, textOrNone } from './export-file.ts';
import { filesBeside } from './files-beside.ts';
import type { Notes } from './notes.ts';

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? undefined);

const moment = int64Answer.transform(timestampText);

/** An assessment: the fields of Python's class, which differ from those of the REST API that {@link assessmentJson} reads. */
const exportedAssessment = z
  .looseObject({
    assessment_id: z.string().min(1),
    name: z.string().default(''),
    create_time_ms: moment,
    last_update_time_ms: moment,
    run_id: textOrNone,
    metadata: z.record(z.string(), z.unknown()).nullish(),
    expectation: z.unknown().optional(),
    issue: z.unknown().optional(),
  })
  .transform(({ name, create_time_ms, last_update_time_ms, run_id, metadata, expectation, ...rest }) => ({
    ...rest,
    assessment_name: name,
    create_time: create_time_ms,
    last_update_time: last_update_time_ms,
    metadata: { ...metadata, ...(run_id === undefined ? {} : { [ASSESSMENT_RUN]: run_id }) },
    ...(expectation === undefined || expectation === null ? {} : { expectation: expectationOf(expectation) }),
  }));

function expectationOf(value: unknown): object {
  return typeof value === 'object' ? { serialized_value: { value: JSON.stringify(value) } } : { value };
}

const maps = { tags: exportTags, assessments: z.array(z.unknown()).nullish() };

/** Of MLflow 3. */
const newerInfo = z
  .object({
    trace_id: z.string().min(1),
    trace_location: z.object({ mlflow_experiment: z.object({ experiment_id: exportId }) }),
    request_time: int64Answer,
    execution_duration: int64Answer.nullish(),
    state: text,
    client_request_id: text,
    request_preview: text,
    response_preview: text,
    trace_metadata: exportTags,
    ...maps,
  })
  .transform(({ trace_location, execution_duration, state, ...info }) => ({
    ...info,
    experiment_id: trace_location.mlflow_experiment.experiment_id,
    execution_duration: execution_duration ?? undefined,
    state: stateOf(state),
  }));

/** Of MLflow 2. */
const olderInfo = z
  .object({
    request_id: z.string().min(1),
    experiment_id: exportId,
    timestamp_ms: int64Answer,
    execution_time_ms: int64Answer.nullish(),
    status: text,
    request_metadata: exportTags,
    ...maps,
  })
  .transform(({ request_id, timestamp_ms, execution_time_ms, status, request_metadata, ...info }) => ({
    ...info,
    trace_id: request_id,
    request_time: timestamp_ms,
    execution_duration: execution_time_ms ?? undefined,
    state: stateOf(status),
    ...previewsIn(request_metadata),
    trace_metadata: request_metadata,
  }));

const traceFile = z.object({
  info: z.unknown(),
  data: z.array(z.unknown()).catch([]),
});

interface LoadedTrace {
  readonly info: TraceInfo;
  /** How many spans it has, by its own file. */
  readonly spans: number;
}

/** Reads a trace.json. Throws SOURCE_ITEM, a system error. */
function readTrace(path: string): LoadedTrace {
  const { info, data } = checked(traceFile, readExportFile(path).body, path);
  const isOlder = typeof info === 'object' && info !== null && 'request_id' in info && !('trace_id' in info);
  const { assessments, ...told } = checked<z.infer<typeof newerInfo> | z.infer<typeof olderInfo>>(
    isOlder ? olderInfo : newerInfo,
    info,
    path,
  );
  const all = (assessments ?? []).map((item) =>
    checked(assessmentJson, checked(exportedAssessment, item, path), path),
  );
  return { info: traceInfo({ ...told, assessments: all }), spans: data.length };
}

/** Where a trace stands, and what its place in the order follows from. */
interface TraceEntry extends Pick<Trace, 'trace_id' | 'experiment_id'> {
  readonly path: string;
  readonly request_time: Int64;
}

function listTraces({ files }: Catalogue, notes: Notes): readonly TraceEntry[] {
  const entries = new Map<string, TraceEntry>();
  for (const path of files.get('trace') ?? []) {
    try {
      const { trace_id, experiment_id, request_time } = readTrace(path).info;
      if (!entries.has(trace_id)) entries.set(trace_id, { trace_id, experiment_id, request_time, path });
    } catch (error) {
      notes.failFile(path, error);
    }
  }
  return [...entries.values()].sort(
    (a, b) => compareInt64(a.request_time, b.request_time) || (a.trace_id < b.trace_id ? -1 : 1),
  );
}

/** The traces of an export. Their spans are in the files beside them, or nowhere: the export of spans that were in the database has none. */
export function traces(catalogue: Catalogue, notes: Notes): ObjectSource {
  const of = kindOf('trace');
  let listed: readonly TraceEntry[] | undefined;

  const reader = ({ path }: TraceEntry, experiment_name: string): ObjectReader => {
    const { info, spans } = readTrace(path);
    const { trace_id } = info;
    const owner = { experiment_name, of: { kind: of.kind, id: trace_id } };
    const files = filesBeside(path, (loss) => notes.loss({ ...loss, ...owner }));
    const record: Trace = trace.parse({ ...info, spans: [] });
    return {
      of,
      record,
      report: async () => {
        if (spans === 0 || (await holdsSpans(files))) return;
        const detail =
          'The export has no spans of the trace: mlflow-export-import leaves out those that the source kept in its database';
        notes.loss({ code: 'TRACE_SPANS', ...owner, count: spans, detail });
      },
      whole: async () => ({ ...record, spans: [...((await readSpans(files, trace_id)) ?? [])] }),
      async *artifacts() {
        for await (const file of files.artifacts()) if (file.path !== SPANS_FILE) yield file;
      },
      open: files.open,
    };
  };

  return {
    async *read({ experiments }) {
      listed ??= listTraces(catalogue, notes);
      const byExperiment = Map.groupBy(listed, ({ experiment_id }) => experiment_id);
      for (const { experiment_id, name } of experiments)
        for (const entry of byExperiment.get(experiment_id) ?? []) yield reader(entry, name);
    },
  };
}

async function holdsSpans(files: ReturnType<typeof filesBeside>): Promise<boolean> {
  for await (const { path } of files.artifacts()) if (path === SPANS_FILE) return true;
  return false;
}
