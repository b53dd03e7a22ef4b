import { text } from 'node:stream/consumers';
import { kindOf } from '../../../kinds/kinds.ts';
import type { Findings } from '../../../model/findings.ts';
import { attachmentsOf } from '../../../model/mlflow/attachments.ts';
import { parseTraceData } from '../../../model/mlflow/trace-data.ts';
import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import { wantsWholeExperiments } from '../../../model/selection.ts';
import { type Span, type Trace, trace } from '../../../model/trace.ts';
import { pushTraceFilter } from '../../../search/push-objects.ts';
import { MlferryError } from '../../../util/errors.ts';
import { mapConcurrent } from '../../../util/map-concurrent.ts';
import type { ObjectReader, ObjectSource } from '../../objects.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import { isTooLarge } from '../connect/client.ts';
import { traceOwner } from '../connect/owner.ts';
import { pages } from '../connect/pages.ts';
import { routes } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { representTrace } from '../write/fit-trace.ts';
import { openArtifact } from './artifacts.ts';
import { orUnfiltered } from './or-unfiltered.ts';
import { searchRuns } from './searches.ts';

/** Traces in a page: MLflow gives no more. */
const PAGE = 500;
/** Experiments in one search. */
const EXPERIMENTS = 100;
/** Traces whose spans are asked for in one request. */
const TOGETHER = 25;

/** Whether the server may have traces (2.14 and newer); one that tells no version is tried. */
export function knowsTraces({ server }: TrackingClient): boolean {
  return server.version === undefined || isAtLeast(server, '2.14');
}

/** Whether the server has the newer API of traces, in which a client chooses their ids (3.3). */
export function hasNewerTraces({ server }: TrackingClient): boolean {
  return isAtLeast(server, '3.3');
}

interface TracePage {
  readonly traces: readonly TraceInfo[];
  readonly next_page_token?: string | undefined;
}

/** Pages of the traces of some experiments, deleted ones too, the oldest first; each once, without spans. */
export async function* searchTracePages(
  client: TrackingClient,
  experiment_ids: readonly string[],
  filter?: string,
): AsyncGenerator<readonly TraceInfo[]> {
  const ids = new Set<string>();
  const newer = client.server.version === undefined || hasNewerTraces(client);
  const order_by = ['timestamp_ms ASC'];
  const locations = experiment_ids.map((experiment_id) => ({
    type: 'MLFLOW_EXPERIMENT',
    mlflow_experiment: { experiment_id },
  }));
  const ask = (max_results: number, page_token: string | undefined): Promise<TracePage> =>
    newer
      ? client.call(routes.searchTraces, { body: { locations, filter, max_results, page_token, order_by } })
      : client.call(routes.olderSearchTraces, {
          query: { experiment_ids, filter, max_results, page_token, order_by },
        });
  const isNew = (page: TracePage) => page.traces.some(({ trace_id }) => !ids.has(trace_id));
  try {
    for await (const { traces: found } of pages({ name: 'The list of traces', ask, isNew, size: PAGE })) {
      const page = found.filter(({ trace_id }) => !ids.has(trace_id));
      for (const { trace_id } of page) ids.add(trace_id);
      yield page;
    }
  } catch (error) {
    const absent = error instanceof MlferryError && ['UNSUPPORTED', 'NOT_FOUND'].includes(error.code);
    if (!absent || client.server.version !== undefined) throw error;
  }
}

/** The traces of a server. */
export function traces(client: TrackingClient, findings: Findings): ObjectSource {
  const of = kindOf('trace');
  return {
    represent: (wanted, present) =>
      representTrace(trace.parse(wanted), trace.parse(present), !hasNewerTraces(client)),
    async *read({ experiments, selection, isChosen }) {
      const ids = experiments.map(({ experiment_id }) => experiment_id);
      const whole = wantsWholeExperiments(selection);
      const filter = hasNewerTraces(client) ? pushTraceFilter(selection.trace_filter) : undefined;
      const asks = (run_id: string) => whole || isChosen('run', run_id);
      let links: Promise<TraceLinks> | undefined;
      for (let at = 0; at < ids.length; at += EXPERIMENTS)
        for await (const page of orUnfiltered(filter, (asked) =>
          searchTracePages(client, ids.slice(at, at + EXPERIMENTS), asked),
        )) {
          const spansOf = createSpanReader(client, page, findings);
          for (const info of page) {
            reportCut(info, findings);
            links ??= traceLinks(client, ids, asks);
            const linked_runs = (await links).get(info.trace_id) ?? [];
            const record: Trace = { ...info, linked_runs: [...linked_runs], spans: [] };
            const owner = traceOwner(info);
            let attached: readonly string[] | undefined;
            const whole = async () => {
              const spans = await spansOf(info);
              attached = attachmentsOf(spans);
              return { ...record, spans };
            };
            const reader: ObjectReader = {
              of,
              record,
              whole,
              async *artifacts() {
                if (attached === undefined) await whole();
                for (const id of attached ?? []) yield { path: `attachments/${id}` };
              },
              open: (artifact) => openArtifact(client, owner, artifact, findings),
            };
            yield reader;
          }
        }
    },
  };
}

/** The runs that traces were linked to, by trace. */
type TraceLinks = ReadonlyMap<string, Trace['linked_runs']>;

/** Runs whose traces are asked for at once. */
const RUNS = 4;

/** Nothing of a trace tells the runs that it was linked to: each run that is selected is asked for its traces, where there is any. */
async function traceLinks(
  client: TrackingClient,
  experiment_ids: readonly string[],
  asks: (run_id: string) => boolean,
): Promise<TraceLinks> {
  const links = new Map<string, { run_id: string }[]>();
  if (!hasNewerTraces(client)) return links;
  const runs = searchRuns(client, { experiment_ids, run_view_type: 'ALL' });
  await mapConcurrent(runs, RUNS, async ({ run: { run_id } }) => {
    if (!asks(run_id)) return;
    for await (const page of searchTracePages(client, experiment_ids, `attribute.run_id = '${run_id}'`))
      for (const { trace_id, source_run_id } of page) {
        if (source_run_id === run_id) continue;
        const own = links.get(trace_id) ?? [];
        own.push({ run_id });
        links.set(trace_id, own);
      }
  });
  for (const own of links.values()) own.sort((a, b) => (a.run_id < b.run_id ? -1 : 1));
  return links;
}

/** Servers cut what they tell, and say nothing of it (mlflow/entities/trace_info_v2.py). Characters. */
const MOST_OF_METADATA = 250;
const MOST_OF_TAG = 4096;

function reportCut({ trace_id, trace_metadata, tags }: TraceInfo, findings: Findings): void {
  const cut = [
    ...Object.entries(trace_metadata).filter(([, value]) => isOfLength(value, MOST_OF_METADATA)),
    ...Object.entries(tags).filter(([, value]) => isOfLength(value, MOST_OF_TAG)),
  ].filter(([, value]) => !value.endsWith('...'));
  if (cut.length === 0) return;
  findings.loss({
    code: 'TRACE_VALUES_CUT',
    of: { kind: 'trace', id: trace_id },
    count: cut.length,
    detail: `the server tells no more than ${MOST_OF_METADATA} characters of metadata and ${MOST_OF_TAG} of a tag: longer values are cut: ${cut.map(([key]) => key).join(', ')}`,
  });
}

function isOfLength(value: string, most: number): boolean {
  return value.length >= most && [...value].length === most;
}

/** Reads the spans of the traces of a page, those in the store many at once, when the first of them is asked for. */
export function createSpanReader(
  client: TrackingClient,
  page: readonly TraceInfo[],
  findings: Findings,
): (trace: TraceInfo) => Promise<readonly Span[]> {
  const inStore = page.filter(({ spans_location }) => spans_location === 'TRACKING_STORE');
  const places = new Map(inStore.map(({ trace_id }, at) => [trace_id, at]));
  /** What was read stays here until it is taken. */
  const asked = new Map<string, Promise<Map<string, readonly Span[]>>>();
  /** Whether empty lists and objects are told apart from null: 3.17 does, 3.6 does not. */
  const tellsEmpty = isAtLeast(client.server, '3.17');
  const batches = client.server.version === undefined || isAtLeast(client.server, '3.6');

  async function together(ids: readonly string[]): Promise<Map<string, readonly Span[]>> {
    try {
      const answer = await client.call(routes.traceBatch, { query: { trace_ids: ids } });
      const whole = answer.traces.filter(({ isPlain }) => isPlain || tellsEmpty);
      return new Map(whole.map(({ trace_id, spans }) => [trace_id, spans]));
    } catch (error) {
      if (!(error instanceof MlferryError)) throw error;
      // One trace that is damaged, or too much of them: each is then asked for by itself.
      if (
        !isTooLarge(error) &&
        !['NOT_MLFLOW', 'SERVER_ERROR', 'UNSUPPORTED', 'NOT_FOUND', 'REFUSED'].includes(error.code)
      )
        throw error;
      if (ids.length <= 1) return new Map();
      const half = Math.ceil(ids.length / 2);
      return new Map([...(await together(ids.slice(0, half))), ...(await together(ids.slice(half)))]);
    }
  }

  return async (trace) => {
    const at = places.get(trace.trace_id);
    if (at === undefined || !batches) return spansOf(client, trace, findings);
    let batch = asked.get(trace.trace_id);
    if (batch === undefined) {
      const ids = inStore
        .slice(at, at + TOGETHER)
        .flatMap(({ trace_id }) => (asked.has(trace_id) ? [] : [trace_id]));
      batch = together(ids);
      batch.catch(() => undefined);
      for (const id of ids) asked.set(id, batch);
    }
    const found = await batch;
    const spans = found.get(trace.trace_id);
    found.delete(trace.trace_id);
    asked.delete(trace.trace_id);
    // An incomplete trace is not among them, nor one that was not told exactly.
    return spans ?? spansOf(client, trace, findings);
  };
}

/** The spans of one trace, by the server wherever they are. */
async function spansOf(
  client: TrackingClient,
  trace: TraceInfo,
  findings: Findings,
): Promise<readonly Span[]> {
  const { trace_id } = trace;
  try {
    return await client.stream(routes.traceData, { request_id: trace_id }, async (body) =>
      parseTraceData(await text(body), trace_id),
    );
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'NOT_FOUND') throw error;
    if (trace.state === 'IN_PROGRESS') return [];
    const detail = 'the source has no spans of it: its traces.json is missing';
    findings.loss({
      code: 'ARTIFACT_MISSING',
      of: { kind: 'trace', id: trace_id },
      key: 'traces.json',
      detail,
    });
    return [];
  }
}
