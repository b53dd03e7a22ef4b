import { text as textOf } from 'node:stream/consumers';
import { z } from 'zod';
import { kindOf } from '../../../kinds/kinds.ts';
import { attachmentsOf } from '../../../model/mlflow/attachments.ts';
import { withLinkedPrompts } from '../../../model/mlflow/linked-prompts.ts';
import { parseTraceData } from '../../../model/mlflow/trace-data.ts';
import { previewsIn, stateOf, type TraceInfo, traceInfo } from '../../../model/mlflow/trace-fields.ts';
import type { Experiment } from '../../../model/records.ts';
import { type Span, type Trace, trace } from '../../../model/trace.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { ArtifactEntry, ArtifactOwner } from '../../artifact-owner.ts';
import type { ObjectReader, ObjectSource } from '../../objects.ts';
import { representTrace } from '../write/fit-trace.ts';
import { readAssessments } from './assessments.ts';
import { integer, nullableText, numericId, optionalInteger, text } from './cells.ts';
import { ownFiles } from './files.ts';
import { checkedRows, pairsOf, rowsOf, type Store } from './store.ts';
import { PROMOTED, promotedMaps } from './trace-columns.ts';

const infoRow = z.object({
  request_id: z.string().min(1),
  experiment_id: numericId,
  timestamp_ms: integer,
  execution_time_ms: optionalInteger,
  status: text,
  client_request_id: nullableText,
  request_preview: nullableText,
  response_preview: nullableText,
  ...PROMOTED,
});
const linkRow = z.object({ trace_id: z.string(), type: z.string(), id: z.string().min(1) });
const spanRow = z.object({ content: z.string() });

/** Traces whose further rows are read together. */
const TOGETHER = 100;
/** The file of a trace's spans among its artifacts, where the store does not hold them. */
export const TRACE_DATA_FILE = 'traces.json';

/** The traces of a database, the oldest first; spans are read late, from the store or the trace's artifacts. */
export function traces(store: Store): ObjectSource {
  return {
    represent: (wanted, present) => representTrace(store, trace.parse(wanted), trace.parse(present)),
    async *read({ experiments }) {
      for (const experiment of experiments)
        for await (const page of readInfos(store, experiment))
          for (const info of page) yield reader(store, info, experiment);
    },
  };
}

type Told = TraceInfo & Pick<Trace, 'linked_runs'>;

/** One trace, its spans when they are asked for; `undefined` where there is none of this id. */
export async function readTrace(
  store: Store,
  trace_id: string,
): Promise<{ readonly info: Told; spans(): Promise<readonly Span[]> } | undefined> {
  const columns = store.tables.columns('trace_info', Object.keys(infoRow.shape));
  const sql = `SELECT ${columns} FROM "trace_info" WHERE "request_id" = ?`;
  const [info] = await withData(store, await checkedRows(store, infoRow, sql, [trace_id]));
  if (info === undefined) return undefined;
  const quiet = { ...store, note: () => undefined };
  const files = ownFiles(quiet, { id: trace_id, artifact_uri: info.artifact_uri });
  return { info, spans: () => readSpans(quiet, info, files, () => undefined) };
}

/** The traces of an experiment without their spans, in lists: each list begins behind the last trace of the one before. */
async function* readInfos(store: Store, { experiment_id, name }: Experiment): AsyncGenerator<Told[]> {
  const names = Object.keys(infoRow.shape);
  const sql =
    `SELECT ${store.tables.columns('trace_info', names)} FROM "trace_info" WHERE "experiment_id" = ?` +
    ` ORDER BY "trace_info"."timestamp_ms", ${store.database.dialect.bytes('"request_id"')}`;
  for await (const piece of store.database.stream(sql, [experiment_id]))
    for (let at = 0; at < piece.length; at += TOGETHER) {
      const rows = piece.slice(at, at + TOGETHER).flatMap((values) => {
        const fields = Object.fromEntries(names.map((column, index) => [column, values[index]]));
        const parsed = infoRow.safeParse(fields);
        if (!parsed.success)
          store.fail(`trace ${String(fields.request_id)} of experiment "${name}"`, parsed.error);
        return parsed.success ? [parsed.data] : [];
      });
      yield await withData(store, rows);
    }
}

async function withData(store: Store, rows: ReadonlyArray<z.infer<typeof infoRow>>): Promise<Told[]> {
  const ids = rows.map(({ request_id }) => request_id);
  const tagsOf = await pairsOf(store, { table: 'trace_tags', own: 'request_id' }, ids);
  const metadataOf = await pairsOf(store, { table: 'trace_request_metadata', own: 'request_id' }, ids);
  const assessments = await readAssessments(store, ids);
  const links = await readLinks(store, ids);
  // MLflow 3 takes the previews of traces that MLflow 2 logged from their metadata.
  const hasPreviews = store.tables.has('trace_info', 'request_preview');
  return rows.map((row) => {
    const promoted = promotedMaps(row);
    const linksOf = (type: string) =>
      (links.get(row.request_id) ?? []).flatMap((each) => (each.type === type ? each.id : [])).sort();
    const prompts = linksOf('prompt_version').map((id) => {
      const at = id.lastIndexOf('/');
      return { name: id.slice(0, at), version: id.slice(at + 1) };
    });
    const trace_metadata = { ...metadataOf(row.request_id), ...promoted.trace_metadata };
    const info = traceInfo({
      trace_id: row.request_id,
      experiment_id: row.experiment_id,
      client_request_id: row.client_request_id,
      request_time: row.timestamp_ms,
      execution_duration: row.execution_time_ms,
      state: stateOf(row.status),
      request_preview: row.request_preview,
      response_preview: row.response_preview,
      ...(hasPreviews ? {} : previewsIn(trace_metadata)),
      trace_metadata,
      tags: withLinkedPrompts({ ...tagsOf(row.request_id), ...promoted.tags }, prompts),
      assessments: [...(assessments.get(row.request_id) ?? [])],
    });
    const linked = linksOf('run').filter((run_id) => run_id !== info.source_run_id);
    return { ...info, linked_runs: linked.map((run_id) => ({ run_id })) };
  });
}

/** The runs, and versions of prompts, that traces were linked to afterwards (MLflow 3.2 and newer). */
async function readLinks(store: Store, ids: readonly string[]) {
  const rows = !store.tables.has('entity_associations')
    ? []
    : await rowsOf(
        store,
        linkRow,
        ids,
        (list) =>
          'SELECT "source_id" AS "trace_id", "destination_type" AS "type", "destination_id" AS "id" FROM "entity_associations"' +
          ` WHERE "source_type" = 'trace' AND "source_id" IN ${list}`,
      );
  return Map.groupBy(rows, ({ trace_id }) => trace_id);
}

function reader(store: Store, info: Told, experiment: Experiment): ObjectReader {
  const of = kindOf('trace');
  const { trace_id, artifact_uri } = info;
  const owner = { experiment_name: experiment.name, of: { kind: of.kind, id: trace_id } };
  const record: Trace = { ...info, spans: [] };
  const files = ownFiles(store, { id: trace_id, artifact_uri, ...owner });
  let read: Promise<readonly Span[]> | undefined;
  const spans = () => {
    read ??= readSpans(store, info, files, (code, detail) => store.note({ ...owner, code, detail }));
    return read;
  };
  return {
    of,
    record,
    whole: async () => ({ ...record, spans: [...(await spans())] }),
    async *artifacts(): AsyncGenerator<ArtifactEntry> {
      // Most traces have no files: then where theirs would be is no matter.
      if (attachmentsOf(await spans()).length === 0) return;
      for await (const file of files.artifacts()) if (file.path !== TRACE_DATA_FILE) yield file;
    },
    open: files.open,
  };
}

async function readSpans(
  store: Store,
  { trace_id, artifact_uri, spans_location, state }: Told,
  files: ArtifactOwner,
  note: (code: 'ARTIFACT_MISSING' | 'TRACE_SPANS', detail: string) => void,
): Promise<readonly Span[]> {
  try {
    if (spans_location === 'TRACKING_STORE') {
      const rows = await checkedRows(
        store,
        spanRow,
        'SELECT "content" FROM "spans" WHERE "trace_id" = ? AND "content" <> ?',
        [trace_id, ''],
      );
      return parseTraceData(`{"spans": [${rows.map(({ content }) => content).join(',')}]}`, trace_id);
    }
    for await (const { path } of files.artifacts()) {
      if (path !== TRACE_DATA_FILE) continue;
      const body = await files.open({ path });
      if (body !== undefined) return parseTraceData(await textOf(body), trace_id);
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new MlferryError(
      'SOURCE_ITEM',
      `The spans of trace ${trace_id} are not what MLflow writes: ${error.message}`,
    );
  }
  if (spans_location === 'ARCHIVE_REPO')
    note('TRACE_SPANS', 'MLflow moved its spans to its archive of traces, which only a server can read');
  else if ('unreachable' in (await store.locate({ id: trace_id, artifact_uri })))
    note('TRACE_SPANS', `its spans are in a file below ${artifact_uri}, which cannot be reached`);
  else if (state !== 'IN_PROGRESS')
    note('ARTIFACT_MISSING', 'the source has no spans of it: its traces.json is missing');
  return [];
}
