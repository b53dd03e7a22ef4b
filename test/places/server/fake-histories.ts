import type { ServerResponse } from 'node:http';
import type { Point } from '../../../src/model/records.ts';
import { type Answer, type FakeServer, type SeenRequest, startFake, status } from './fake-server.ts';

/** run_id → key → points in (timestamp, step, value) order. */
export type Histories = ReadonlyMap<string, ReadonlyMap<string, readonly Point[]>>;

/** How the fake differs from a well-behaved newest server. */
export interface HistoryFaults {
  readonly version?: string;
  readonly bulk?: 'missing' | 'unordered' | 'silently cut';
  /** Most run_ids a request. */
  readonly maxRuns?: number;
  /** Longest request line; gunicorn's is 4094. */
  readonly maxUrl?: number;
  /** get-history ignores max_results, as MLflow up to 3.1. */
  readonly wholeHistory?: boolean;
  /** What get-history does instead, once per request it is asked about. */
  readonly history?: (request: SeenRequest, number: number) => Answer | undefined;
}

/** A fake tracking server with one experiment and these runs, with MLflow's two history routes. */
export async function fakeHistories(runs: Histories, faults: HistoryFaults = {}): Promise<FakeServer> {
  return startFake((request, number) => {
    const { path } = request;
    if (path.endsWith('/experiments/search'))
      return { json: { experiments: [{ experiment_id: '1', name: 'e', lifecycle_stage: 'active' }] } };
    if (path.endsWith('/runs/search'))
      return { json: { runs: [...runs].map(([run_id, keys]) => runAnswer(run_id, keys)) } };
    if (path.endsWith('/metrics/get-history-bulk')) return bulkAnswer(runs, faults, request);
    if (path.endsWith('/metrics/get-history'))
      return faults.history?.(request, number) ?? historyAnswer(runs, faults, request);
    return undefined;
  }, faults.version);
}

const asMetric = (key: string, [step, timestamp, value]: Point) => ({ key, step, timestamp, value });

function runAnswer(run_id: string, keys: ReadonlyMap<string, readonly Point[]>) {
  const metrics = [...keys].flatMap(([key, points]) => points.slice(-1).map((point) => asMetric(key, point)));
  return {
    info: { run_id, experiment_id: '1', status: 'FINISHED', lifecycle_stage: 'active' },
    data: { metrics },
  };
}

function bulkAnswer(runs: Histories, faults: HistoryFaults, { query }: SeenRequest): Answer {
  const ids = query.getAll('run_id');
  const key = query.get('metric_key') ?? '';
  const most = faults.maxRuns ?? 100;
  if (faults.bulk === 'missing') return status(404, '<html>Not Found</html>');
  if (
    `GET /ajax-api/2.0/mlflow/metrics/get-history-bulk?${query} HTTP/1.1`.length > (faults.maxUrl ?? 65_536)
  ) {
    return status(400, '<html>Request Line is too large</html>');
  }
  if (ids.length > most) {
    const message = `GetMetricHistoryBulk request cannot specify more than ${most} run_ids. Received ${ids.length} run_ids.`;
    return status(400, JSON.stringify({ error_code: 'INVALID_PARAMETER_VALUE', message }));
  }
  const points = ids
    .toSorted()
    .flatMap((run_id) =>
      (runs.get(run_id)?.get(key) ?? []).map((point) => ({ ...asMetric(key, point), run_id })),
    );
  if (faults.bulk === 'unordered') points.sort((a, b) => Number(a.step) - Number(b.step));
  const cut =
    faults.bulk === 'silently cut' ? 1000 : Math.min(25_000, Number(query.get('max_results') ?? 25_000));
  // Flask writes NaN bare.
  return {
    respond: (response) =>
      void sendJson(response, JSON.stringify({ metrics: points.slice(0, cut) }).replaceAll('"NaN"', 'NaN')),
  };
}

function historyAnswer(runs: Histories, faults: HistoryFaults, { query }: SeenRequest): Answer {
  const key = query.get('metric_key') ?? '';
  const points = runs.get(query.get('run_id') ?? '')?.get(key) ?? [];
  const from = Number(query.get('page_token') ?? 0);
  const to = faults.wholeHistory ? points.length : from + Number(query.get('max_results') ?? 0);
  const metrics = points.slice(from, to).map((point) => asMetric(key, point));
  return { json: { metrics, ...(to < points.length ? { next_page_token: String(to) } : {}) } };
}

function sendJson(response: ServerResponse, text: string): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(text);
}
