import { z } from 'zod';
import {
  artifactPage,
  countedPage,
  createdExperiment,
  deletedRuns,
  experimentGet,
  experimentPage,
  loggedModelGet,
  loggedModelPage,
  restoredRuns,
  runGet,
  runPage,
  serverInfo,
} from './answers.ts';
import {
  datasetExperiments,
  datasetGet,
  datasetPage,
  datasetRecordPage,
  registeredScorer,
  scorerList,
} from './evaluation-answers.ts';
import type { RequestClass } from './flow.ts';
import {
  gatewayBudgetPolicyPage,
  gatewayEndpointList,
  gatewayGuardrailPage,
  gatewayModelDefinitionList,
  gatewaySecretList,
} from './gateway-answers.ts';
import {
  modelVersionGet,
  modelVersionPage,
  registeredModelGet,
  registeredModelPage,
} from './registry-answers.ts';
import {
  olderTraceGet,
  olderTracePage,
  traceBatch,
  traceGet,
  traceInfos,
  tracePage,
} from './trace-answers.ts';
import { webhookPage } from './webhook-answers.ts';

/** An endpoint below the base URL. */
export interface Endpoint {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Percent-encoded. */
  readonly path: string;
  /** What stands behind the id of one object, see {@link within}. */
  readonly after?: string;
  /** Which requests it is limited together with. */
  readonly class: RequestClass;
  /** Whether it changes the server: what is under way is then heard to its end after an interrupt. */
  readonly changes: boolean;
}

/** An endpoint whose answer is JSON of this schema. */
export interface Route<T> extends Endpoint {
  readonly schema: z.ZodType<T>;
}

const MLFLOW = '/api/2.0/mlflow';
const NEWER = '/api/3.0/mlflow';
const PROXY = '/api/2.0/mlflow-artifacts/artifacts';

/** Every path of a tracking server that mlferry knows; all that is said about one stands here. */
export const routes = {
  // What the server is. `/version` is of MLflow 2.1 and newer, `server-info` of 3.10 and newer.
  version: bytes('GET', '/version', 'read'),
  serverInfo: read(`${NEWER}/server-info`, serverInfo),
  /** Whether it is MLflow and lets us in. */
  tryExperiments: { ...read(`${MLFLOW}/experiments/search`, z.looseObject({})), class: 'search' },

  experiment: read(`${MLFLOW}/experiments/get`, experimentGet),
  experimentByName: read(`${MLFLOW}/experiments/get-by-name`, experimentGet),
  searchExperiments: search(`${MLFLOW}/experiments/search`, experimentPage),
  createExperiment: change(`${MLFLOW}/experiments/create`, createdExperiment),
  updateExperiment: change(`${MLFLOW}/experiments/update`),
  deleteExperiment: change(`${MLFLOW}/experiments/delete`),
  restoreExperiment: change(`${MLFLOW}/experiments/restore`),
  setExperimentTag: change(`${MLFLOW}/experiments/set-experiment-tag`),
  /** Since 3.0. */
  deleteExperimentTag: change(`${MLFLOW}/experiments/delete-experiment-tag`),

  run: read(`${MLFLOW}/runs/get`, runGet),
  searchRuns: search(`${MLFLOW}/runs/search`, runPage),
  countRuns: search(`${MLFLOW}/runs/search`, countedPage('runs')),
  createRun: change(`${MLFLOW}/runs/create`, runGet),
  updateRun: change(`${MLFLOW}/runs/update`),
  deleteRun: change(`${MLFLOW}/runs/delete`),
  restoreRun: change(`${MLFLOW}/runs/restore`),
  logBatch: change(`${MLFLOW}/runs/log-batch`),
  logInputs: change(`${MLFLOW}/runs/log-inputs`),
  deleteTag: change(`${MLFLOW}/runs/delete-tag`),
  /** Databricks only. */
  deleteRuns: change(`${MLFLOW}/databricks/runs/delete-runs`, deletedRuns),
  restoreRuns: change(`${MLFLOW}/databricks/runs/restore-runs`, restoredRuns),

  history: bytes('GET', `${MLFLOW}/metrics/get-history`, 'history'),
  /** Since 1.30, only here. */
  bulkHistory: bytes('GET', '/ajax-api/2.0/mlflow/metrics/get-history-bulk', 'history'),

  artifacts: read(`${MLFLOW}/artifacts/list`, artifactPage),
  /** A run's file, by way of the server whatever store it lies in. */
  artifact: bytes('GET', '/get-artifact', 'bytes'),
  /** Puts a file of a run into whatever store, 10 MiB at most and not empty. Only here. */
  uploadArtifact: {
    ...bytes('POST', '/ajax-api/2.0/mlflow/upload-artifact', 'bytes'),
    changes: true,
  },
  /** The server's artifact proxy; its files are `below` these. */
  proxiedArtifacts: read(PROXY, artifactPage),
  proxiedArtifact: bytes('GET', PROXY, 'bytes'),
  putProxiedArtifact: { ...bytes('PUT', PROXY, 'bytes'), changes: true },

  /** Since 3.0. One model is `within` these. */
  loggedModel: read(`${MLFLOW}/logged-models`, loggedModelGet),
  loggedModelArtifacts: {
    ...read(`${MLFLOW}/logged-models`, artifactPage),
    after: '/artifacts/directories',
  },
  /** Since 3.0, only here. */
  loggedModelFile: {
    ...bytes('GET', '/ajax-api/2.0/mlflow/logged-models', 'bytes'),
    after: '/artifacts/files',
  },
  searchLoggedModels: search(`${MLFLOW}/logged-models/search`, loggedModelPage),
  countLoggedModels: search(`${MLFLOW}/logged-models/search`, countedPage('models')),
  createLoggedModel: change(`${MLFLOW}/logged-models`, loggedModelGet),
  /** Its status. */
  finalizeLoggedModel: { ...change(`${MLFLOW}/logged-models`), method: 'PATCH' },
  setLoggedModelTags: { ...change(`${MLFLOW}/logged-models`), method: 'PATCH', after: '/tags' },
  logLoggedModelParams: { ...change(`${MLFLOW}/logged-models`), after: '/params' },
  /** One tag is `below` the tags of a model. */
  deleteLoggedModelTag: { ...change(`${MLFLOW}/logged-models`), method: 'DELETE', after: '/tags' },
  deleteLoggedModel: { ...change(`${MLFLOW}/logged-models`), method: 'DELETE' },
  searchRegisteredModels: read(`${MLFLOW}/registered-models/search`, registeredModelPage),
  registeredModel: read(`${MLFLOW}/registered-models/get`, registeredModelGet),
  createRegisteredModel: change(`${MLFLOW}/registered-models/create`, registeredModelGet),
  updateRegisteredModel: { ...change(`${MLFLOW}/registered-models/update`), method: 'PATCH' },
  setRegisteredModelTag: change(`${MLFLOW}/registered-models/set-tag`),
  setRegisteredModelAlias: change(`${MLFLOW}/registered-models/alias`),
  deleteRegisteredModel: { ...change(`${MLFLOW}/registered-models/delete`), method: 'DELETE' },
  deleteRegisteredModelTag: { ...change(`${MLFLOW}/registered-models/delete-tag`), method: 'DELETE' },
  deleteRegisteredModelAlias: { ...change(`${MLFLOW}/registered-models/alias`), method: 'DELETE' },
  searchModelVersions: read(`${MLFLOW}/model-versions/search`, modelVersionPage),
  modelVersion: read(`${MLFLOW}/model-versions/get`, modelVersionGet),
  /** A version's file, by way of the server. */
  modelVersionFile: bytes('GET', '/model-versions/get-artifact', 'bytes'),
  createModelVersion: change(`${MLFLOW}/model-versions/create`, modelVersionGet),
  updateModelVersion: { ...change(`${MLFLOW}/model-versions/update`), method: 'PATCH' },
  deleteModelVersion: { ...change(`${MLFLOW}/model-versions/delete`), method: 'DELETE' },
  transitionModelVersion: change(`${MLFLOW}/model-versions/transition-stage`),
  setModelVersionTag: change(`${MLFLOW}/model-versions/set-tag`),
  deleteModelVersionTag: { ...change(`${MLFLOW}/model-versions/delete-tag`), method: 'DELETE' },
  /** Models that a run made. */
  logOutputs: change(`${MLFLOW}/runs/outputs`),

  // Since 3.4, of databases only.
  scorers: read(`${NEWER}/scorers/list`, scorerList),
  scorerVersions: read(`${NEWER}/scorers/versions`, scorerList),
  registerScorer: change(`${NEWER}/scorers/register`, registeredScorer),
  deleteScorer: { ...change(`${NEWER}/scorers/delete`), method: 'DELETE' },
  searchEvaluationDatasets: search(`${NEWER}/datasets/search`, datasetPage),
  createEvaluationDataset: change(`${NEWER}/datasets/create`, datasetGet),
  /** One dataset is `within` these. */
  evaluationDataset: read(`${NEWER}/datasets`, datasetGet),
  evaluationDatasetExperiments: {
    ...read(`${NEWER}/datasets`, datasetExperiments),
    after: '/experiment-ids',
  },
  evaluationDatasetRecords: { ...read(`${NEWER}/datasets`, datasetRecordPage), after: '/records' },
  upsertEvaluationDatasetRecords: { ...change(`${NEWER}/datasets`), after: '/records' },
  setEvaluationDatasetTags: { ...change(`${NEWER}/datasets`), method: 'PATCH', after: '/tags' },
  addToExperiments: { ...change(`${NEWER}/datasets`), after: '/add-experiments' },

  /** Since 3.3, of databases only. */
  webhooks: read(`${MLFLOW}/webhooks`, webhookPage),
  // Since 3.9, of databases only.
  gatewaySecrets: read(`${NEWER}/gateway/secrets/list`, gatewaySecretList),
  gatewayModelDefinitions: read(`${NEWER}/gateway/model-definitions/list`, gatewayModelDefinitionList),
  gatewayEndpoints: read(`${NEWER}/gateway/endpoints/list`, gatewayEndpointList),
  gatewayGuardrails: read(`${NEWER}/gateway/guardrails/list`, gatewayGuardrailPage),
  gatewayBudgetPolicies: read(`${NEWER}/gateway/budgets/list`, gatewayBudgetPolicyPage),

  /** Traces. The older routes are of 2.14 to 3.2, the newer ones of 3.3 (batches: 3.6; batches of infos: 3.11). One trace is `within` these. */
  searchTraces: search(`${NEWER}/traces/search`, tracePage),
  olderSearchTraces: read(`${MLFLOW}/traces`, olderTracePage),
  trace: read(`${NEWER}/traces`, traceGet),
  traceBatch: read(`${NEWER}/traces/batchGet`, traceBatch),
  traceInfos: search(`${NEWER}/traces/batchGetInfos`, traceInfos),
  /** The spans of a trace wherever they are, or one of its attachments. Only here. */
  traceData: bytes('GET', '/ajax-api/2.0/mlflow/get-trace-artifact', 'bytes'),
  startTrace: change(`${NEWER}/traces`, traceGet),
  olderTrace: { ...read(`${MLFLOW}/traces`, olderTraceGet), after: '/info' },
  /** The server gives the id. */
  beginOlderTrace: change(`${MLFLOW}/traces`, olderTraceGet),
  endOlderTrace: { ...change(`${MLFLOW}/traces`), method: 'PATCH' },
  setOlderTraceTag: { ...change(`${MLFLOW}/traces`), method: 'PATCH', after: '/tags' },
  deleteTraces: change(`${MLFLOW}/traces/delete-traces`),
  /** OpenTelemetry's own route, see {@link TrackingClient.post}. */
  logSpans: { ...bytes('POST', '/v1/traces', 'write'), changes: true },
  createAssessment: { ...change(`${NEWER}/traces`), after: '/assessments' },
  deleteAssessment: { ...change(`${NEWER}/traces`), method: 'DELETE', after: '/assessments' },
  linkTraces: change(`${MLFLOW}/traces/link-to-run`),
  /** Newest 3.x, of databases only. */
  linkPrompts: change(`${MLFLOW}/traces/link-prompts`),
  setTraceTag: { ...change(`${NEWER}/traces`), method: 'PATCH', after: '/tags' },
} as const satisfies Readonly<Record<string, Endpoint>>;

/** The endpoint of a path below a route; the path's segments are encoded here. */
export function below<T extends Endpoint>(route: T, path: string): T {
  return { ...route, path: `${route.path}/${path.split('/').map(encodeURIComponent).join('/')}` };
}

/** The endpoint of one object of a route; its id is encoded here. */
export function within<T extends Endpoint>(route: T, id: string): T {
  return { ...route, path: `${route.path}/${encodeURIComponent(id)}${route.after ?? ''}` };
}

function read<T>(path: string, schema: z.ZodType<T>): Route<T> {
  return { method: 'GET', path, schema, class: 'read', changes: false };
}

function search<T>(path: string, schema: z.ZodType<T>): Route<T> {
  return { method: 'POST', path, schema, class: 'search', changes: false };
}

function change(path: string): Route<unknown>;
function change<T>(path: string, schema: z.ZodType<T>): Route<T>;
function change(path: string, schema: z.ZodType<unknown> = z.unknown()): Route<unknown> {
  return { method: 'POST', path, schema, class: 'write', changes: true };
}

/** What is read or sent as it comes. */
function bytes(method: 'GET' | 'PUT' | 'POST', path: string, kind: RequestClass): Endpoint {
  return { method, path, class: kind, changes: false };
}
