import type { Handler } from './context.ts';
import { answerGraphql } from './graphql.ts';
import * as artifacts from './rest/artifacts.ts';
import * as evaluation from './rest/evaluation.ts';
import * as experiments from './rest/experiments.ts';
import * as models from './rest/logged-models.ts';
import * as metrics from './rest/metrics.ts';
import * as registry from './rest/registry.ts';
import * as runs from './rest/runs.ts';
import * as server from './rest/server.ts';
import * as traces from './rest/traces.ts';

/**
 * The routes of MLflow's REST API by which its clients and its pages read (mlflow/server/handlers.py, 3.17.2). `:name` stands for
 * a segment of a path, `*name` for all that follows.
 */
interface Route {
  readonly methods: readonly string[];
  /** Below each of {@link PREFIXES}, or, beginning with `/`, by itself. */
  readonly path: string;
  readonly handle: Handler;
}

const get = (path: string, handle: Handler): Route => ({ methods: ['GET'], path, handle });
const post = (path: string, handle: Handler): Route => ({ methods: ['POST'], path, handle });
const either = (path: string, handle: Handler): Route => ({ methods: ['GET', 'POST'], path, handle });

/** Clients ask below the first, browsers below the second. */
const PREFIXES = ['/api/', '/ajax-api/'];

const ROUTES: readonly Route[] = [
  get('/version', server.version),
  get('/health', server.health),
  post('/graphql', answerGraphql),
  get('3.0/mlflow/server-info', server.serverInfo),
  get('3.0/mlflow/ui-telemetry', server.uiTelemetry),

  either('2.0/mlflow/experiments/search', experiments.searchExperiments),
  get('2.0/mlflow/experiments/get', experiments.getExperiment),
  get('2.0/mlflow/experiments/get-by-name', experiments.getExperimentByName),
  post('2.0/mlflow/experiments/search-datasets', runs.searchDatasets),

  get('2.0/mlflow/runs/get', runs.getRun),
  post('2.0/mlflow/runs/search', runs.searchRunsRoute),
  get('2.0/mlflow/metrics/get-history', metrics.getHistory),
  get('2.0/mlflow/metrics/get-history-bulk', metrics.getBulkHistory),
  get('2.0/mlflow/metrics/get-history-bulk-interval', metrics.getHistoryInterval),

  get('2.0/mlflow/artifacts/list', artifacts.listArtifacts),
  get('/get-artifact', artifacts.getArtifact),
  get('2.0/mlflow-artifacts/artifacts', artifacts.listProxied),
  get('2.0/mlflow-artifacts/artifacts/*path', artifacts.getProxied),

  post('2.0/mlflow/logged-models/search', models.searchLoggedModels),
  get('2.0/mlflow/logged-models/:model_id', models.getLoggedModel),
  get('2.0/mlflow/logged-models/:model_id/artifacts/directories', artifacts.listModelArtifacts),
  get('2.0/mlflow/logged-models/:model_id/artifacts/files', artifacts.getModelArtifact),

  get('2.0/mlflow/registered-models/search', registry.searchRegisteredModels),
  get('2.0/mlflow/registered-models/get', registry.getRegisteredModel),
  either('2.0/mlflow/registered-models/get-latest-versions', registry.getLatestVersions),
  get('2.0/mlflow/registered-models/alias', registry.getVersionByAlias),
  get('2.0/mlflow/model-versions/search', registry.searchVersions),
  get('2.0/mlflow/model-versions/get', registry.getVersion),
  get('2.0/mlflow/model-versions/get-download-uri', registry.getDownloadUri),
  get('/model-versions/get-artifact', artifacts.getVersionArtifact),

  get('2.0/mlflow/traces', traces.searchOlderTraces),
  get('2.0/mlflow/traces/:trace_id/info', traces.getOlderTraceInfo),
  post('3.0/mlflow/traces/search', traces.searchTraces),
  post('3.0/mlflow/traces/batchGetInfos', traces.getTraceInfos),
  get('3.0/mlflow/traces/:trace_id', traces.getTraceInfo),
  get('2.0/mlflow/get-trace-artifact', traces.getTraceData),
  get('3.0/mlflow/get-trace-artifact', traces.getTraceData),

  get('3.0/mlflow/scorers/list', evaluation.listScorers),
  get('3.0/mlflow/scorers/versions', evaluation.listScorerVersions),
  get('3.0/mlflow/scorers/get', evaluation.getScorer),
  either('3.0/mlflow/datasets/search', evaluation.searchEvaluationDatasets),
  get('3.0/mlflow/datasets/:dataset_id', evaluation.getEvaluationDataset),
  get('3.0/mlflow/datasets/:dataset_id/experiment-ids', evaluation.getDatasetExperiments),
  get('3.0/mlflow/datasets/:dataset_id/records', evaluation.getDatasetRecords),
];

/** A path as segments that each match one of a request. */
interface Pattern extends Route {
  readonly segments: readonly string[];
}

const PATTERNS: readonly Pattern[] = ROUTES.flatMap((route) =>
  (route.path.startsWith('/') ? [''] : PREFIXES).map((prefix) => ({
    ...route,
    segments: `${prefix}${route.path}`.split('/').slice(1),
  })),
);

/** Whether a path is one of an API, whatever is asked of it. */
export const isApiPath = (path: string): boolean => PREFIXES.some((prefix) => path.startsWith(prefix));

/** The route of a path, decoded segments of which are given, with what it names; `methods` are all that the path takes. */
export function routeOf(
  method: string,
  segments: readonly string[],
): {
  readonly handle: Handler | undefined;
  readonly named: Readonly<Record<string, string>>;
  readonly methods: readonly string[];
} {
  const methods: string[] = [];
  for (const pattern of PATTERNS) {
    const named = match(pattern.segments, segments);
    if (named === undefined) continue;
    if (pattern.methods.includes(method)) return { handle: pattern.handle, named, methods: pattern.methods };
    methods.push(...pattern.methods);
  }
  return { handle: undefined, named: {}, methods };
}

function match(
  pattern: readonly string[],
  segments: readonly string[],
): Readonly<Record<string, string>> | undefined {
  const named: Array<readonly [string, string]> = [];
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index];
    if (segment === undefined) return undefined;
    if (part.startsWith('*')) {
      named.push([part.slice(1), segments.slice(index).join('/')]);
      return Object.fromEntries(named);
    }
    if (part.startsWith(':')) named.push([part.slice(1), segment]);
    else if (part !== segment) return undefined;
  }
  return pattern.length === segments.length ? Object.fromEntries(named) : undefined;
}
