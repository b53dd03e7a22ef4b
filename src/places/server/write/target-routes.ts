import type { EvaluationDataset, EvaluationDatasetRecord } from '../../../model/evaluation-dataset.ts';
import type { Int64 } from '../../../model/int64.ts';
import type { LoggedModel } from '../../../model/logged-model.ts';
import type { linkedPrompts } from '../../../model/mlflow/linked-prompts.ts';
import type { TraceInfo } from '../../../model/mlflow/trace-fields.ts';
import { assessmentBody } from '../../../model/mlflow/trace-fields.ts';
import type { DatasetInput, Experiment, ModelInput, ModelOutput, Run } from '../../../model/records.ts';
import type { ModelVersion, RegisteredModel } from '../../../model/registered-model.ts';
import type { Scorer } from '../../../model/scorer.ts';
import type { StringMap } from '../../../model/string-map.ts';
import type { Assessment, Span, Trace } from '../../../model/trace.ts';
import { endsJob } from '../../../util/ends-job.ts';
import { MlferryError } from '../../../util/errors.ts';
import { isMlflow } from '../connect/capabilities.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { ServerRegisteredModel } from '../connect/registry-answers.ts';
import { below, type Route, routes, within } from '../connect/routes.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { listDirectory } from '../read/artifact-pages.ts';
import { experimentsOf, readDatasetRecords, searchEvaluationDatasets } from '../read/evaluation-datasets.ts';
import { searchLoggedModels } from '../read/logged-models.ts';
import { searchModelVersions, searchRegisteredModels } from '../read/registry.ts';
import { scorerVersions } from '../read/scorers.ts';
import { searchExperiments, searchRunPages, type ViewType } from '../read/searches.ts';
import { createTraceLookup } from '../read/trace-lookup.ts';
import { searchTracePages } from '../read/traces.ts';
import type { Batch } from './log-batches.ts';
import { exportRequests } from './otlp.ts';
import { olderTraceBody, traceBody } from './trace-body.ts';

/** What `runs/create` sets; the rest follows in other requests. */
export interface NewRun {
  readonly experiment_id: string;
  readonly run_name: string;
  readonly user_id: string;
  readonly start_time: Int64 | null;
  readonly tags: StringMap;
}

/** What the creation of a logged model sets. */
export interface NewModel
  extends Pick<LoggedModel, 'experiment_id' | 'name' | 'model_type' | 'source_run_id' | 'params' | 'tags'> {}

/** Which scorer, whatever the version. */
export type ScorerKey = Pick<Scorer, 'experiment_id' | 'scorer_name'>;

/** Which version of which registered model. */
export type VersionKey = Pick<ModelVersion, 'name' | 'version'>;

/** What the creation of a model version sets; the server counts the version. */
export interface NewVersion
  extends Pick<
    ModelVersion,
    'name' | 'source' | 'run_id' | 'run_link' | 'model_id' | 'description' | 'tags'
  > {}

/** The requests of the writing side. In a dry run the changing ones are not sent: `changes` is false then. */
export interface TargetRoutes {
  /** Whether changing requests are sent. */
  readonly changes: boolean;
  /** `undefined`: there is none. Deleted experiments are found too. */
  experimentByName(name: string): Promise<Experiment | undefined>;
  /** The `artifact_location` of the experiment that every server begins with; '' where it has none. */
  firstLocation(): Promise<string>;
  getRun(run_id: string): Promise<Run>;
  /** All runs of an experiment, or of several, that the filter lets through, deleted ones too; page by page. */
  searchRuns(experiment_ids: readonly string[], filter: string): AsyncGenerator<readonly Run[]>;
  /** One directory of a run's or model's artifacts; `size` is undefined for a directory. */
  listArtifacts(
    owner: ServerOwner,
    directory: string,
  ): Promise<ReadonlyArray<{ path: string; size: number | undefined }>>;
  /** Creates are not repeated where the first may have landed: the error says so, the caller looks first. */
  createExperiment(name: string, tags: StringMap): Promise<string>;
  createRun(run: NewRun): Promise<Run>;
  setExperimentTag(experiment_id: string, key: string, value: string): Promise<void>;
  restoreExperiment(experiment_id: string): Promise<void>;
  deleteExperiment(experiment_id: string): Promise<void>;
  renameExperiment(experiment_id: string, new_name: string): Promise<void>;
  /** Since 3.0; UNSUPPORTED before. */
  deleteExperimentTag(experiment_id: string, key: string): Promise<void>;
  /** `repeat: false`: where the batch may have landed the error is thrown. */
  logBatch(run_id: string, batch: Batch, repeat: boolean): Promise<void>;
  logInputs(run_id: string, inputs: readonly DatasetInput[]): Promise<void>;
  /** Links a run to models that it made; an output that is there is refused. Not repeated, see above. */
  logOutputs(run_id: string, models: readonly ModelOutput[]): Promise<void>;
  logModelInputs(run_id: string, models: readonly ModelInput[]): Promise<void>;
  /** Active ones only: no server tells of others. */
  getModel(model_id: string): Promise<LoggedModel>;
  searchModels(experiment_ids: readonly string[], filter?: string): AsyncGenerator<LoggedModel>;
  createModel(model: NewModel): Promise<LoggedModel>;
  logModelParams(model_id: string, params: StringMap): Promise<void>;
  setModelTags(model_id: string, tags: StringMap): Promise<void>;
  setModelStatus(model_id: string, status: LoggedModel['status']): Promise<void>;
  deleteModel(model_id: string): Promise<void>;
  deleteModelTag(model_id: string, key: string): Promise<void>;
  /** `undefined`: there is none. */
  registeredModel(name: string): Promise<RegisteredModel | undefined>;
  createRegisteredModel(
    model: Pick<RegisteredModel, 'name' | 'description' | 'tags'>,
  ): Promise<RegisteredModel>;
  describeRegisteredModel(name: string, description: string): Promise<void>;
  setRegisteredModelTag(name: string, key: string, value: string): Promise<void>;
  deleteRegisteredModelTag(name: string, key: string): Promise<void>;
  /** For good, with all versions. */
  deleteRegisteredModel(name: string): Promise<void>;
  deleteAlias(name: string, alias: string): Promise<void>;
  setAlias(name: string, alias: string, version: string): Promise<void>;
  /** The alias → version of a registered model. */
  aliasesOf(name: string): Promise<ReadonlyMap<string, string>>;
  /** All registered models, and all versions, page by page. */
  registeredModels(): AsyncGenerator<ServerRegisteredModel>;
  allModelVersions(): AsyncGenerator<ModelVersion>;
  /** All versions of a registered model. */
  modelVersions(name: string): Promise<ModelVersion[]>;
  modelVersion(name: string, version: string): Promise<ModelVersion>;
  createModelVersion(version: NewVersion): Promise<ModelVersion>;
  describeModelVersion(version: VersionKey, description: string): Promise<void>;
  transitionModelVersion(version: VersionKey, stage: string): Promise<void>;
  setModelVersionTag(version: VersionKey, key: string, value: string): Promise<void>;
  deleteModelVersion(version: VersionKey): Promise<void>;
  deleteModelVersionTag(version: VersionKey, key: string): Promise<void>;
  /** All versions of a scorer, by number. */
  scorerVersions(experiment_id: string, name: string): Promise<Scorer[]>;
  /** The server counts the version. */
  registerScorer(scorer: ScorerKey & Pick<Scorer, 'serialized_scorer'>): Promise<string>;
  deleteScorer(scorer: ScorerKey & Pick<Scorer, 'scorer_version'>): Promise<void>;
  evaluationDatasets(): AsyncGenerator<EvaluationDataset>;
  /** One as it stands now, with the experiments it is in. */
  evaluationDataset(dataset_id: string): Promise<EvaluationDataset>;
  createEvaluationDataset(
    dataset: Pick<EvaluationDataset, 'name' | 'experiment_ids' | 'tags'>,
  ): Promise<EvaluationDataset>;
  setEvaluationDatasetTags(dataset_id: string, tags: StringMap): Promise<void>;
  addToExperiments(dataset_id: string, experiment_ids: readonly string[]): Promise<void>;
  datasetRecords(dataset_id: string): AsyncGenerator<EvaluationDatasetRecord>;
  /** Records as JSON objects in one JSON list; those whose inputs are there already are merged. */
  upsertDatasetRecords(dataset_id: string, records: string): Promise<void>;
  /** All traces of an experiment, without spans, page by page. */
  searchTraces(experiment_id: string, filter?: string): AsyncGenerator<readonly TraceInfo[]>;
  /** A trace without its spans, in any experiment; `undefined`: there is none. */
  traceById(trace_id: string): Promise<TraceInfo | undefined>;
  /** Spans into the store; UNSUPPORTED where they cannot go there. A span of the same id is replaced. */
  logSpans(experiment_id: string, trace_id: string, spans: readonly Span[]): Promise<void>;
  /** Makes a trace, or adds to the one of this id; `marks` are tags besides its own. */
  startTrace(trace: Trace, marks: StringMap): Promise<TraceInfo>;
  /** The same before MLflow 3.3: a trace without an end, its server's id; then its end. Creates are not repeated, see above. */
  olderTrace(trace_id: string): Promise<TraceInfo>;
  beginOlderTrace(trace: Trace, marks: StringMap): Promise<TraceInfo>;
  endOlderTrace(trace: Trace, marks: StringMap): Promise<void>;
  /** For good. */
  deleteTraces(experiment_id: string, trace_ids: readonly string[]): Promise<void>;
  /** Not repeated, see above: an assessment that is there already is refused. */
  createAssessment(trace_id: string, assessment: Assessment): Promise<void>;
  deleteAssessment(trace_id: string, assessment_id: string): Promise<void>;
  setTraceTag(trace_id: string, key: string, value: string): Promise<void>;
  /** Links that are there stay as they are. */
  linkTraces(trace_ids: readonly string[], run_id: string): Promise<void>;
  /** Versions of prompts that a trace used; the same. UNSUPPORTED before newest 3.x, REFUSED by a file store. */
  linkPrompts(trace_id: string, prompts: ReturnType<typeof linkedPrompts>): Promise<void>;
  updateRun(
    run_id: string,
    change: { status?: Run['status']; end_time?: Int64; run_name?: string },
  ): Promise<void>;
  /** Where the server cannot remove a tag (GitLab) it becomes empty. */
  deleteTag(run_id: string, key: string): Promise<void>;
  deleteRun(run_id: string): Promise<void>;
  restoreRun(run_id: string): Promise<void>;
}

const PAGE = 250;

/** Routes of a tracking server as a target. */
export function targetRoutes(client: TrackingClient, dryRun: boolean): TargetRoutes {
  const pairs = (map: StringMap) => Object.entries(map).map(([key, value]) => ({ key, value }));

  /** The one door for everything that changes the target. */
  async function change<T>(route: Route<T>, body: object, repeat = true): Promise<T> {
    if (dryRun) throw new MlferryError('BUG', `A dry run wanted to send ${route.path}`);
    return client.call(route, { body, repeat });
  }

  /** A change whose answer says nothing; left out in a dry run. */
  async function tell(route: Route<unknown>, body: object, repeat = true): Promise<void> {
    if (!dryRun) await change(route, body, repeat);
  }

  async function registeredModelOrNone(name: string): Promise<ServerRegisteredModel | undefined> {
    try {
      return (await client.call(routes.registeredModel, { query: { name } })).registered_model;
    } catch (error) {
      if (error instanceof MlferryError && error.code === 'NOT_FOUND') return undefined;
      throw error;
    }
  }

  let deleted: Promise<Map<string, Experiment>> | undefined;
  /** Deleted experiments by name, as they were when first asked for: a pass deletes only at its end. */
  function deletedExperiments(): Promise<Map<string, Experiment>> {
    deleted ??= byName(client, 'DELETED_ONLY');
    return deleted;
  }

  return {
    changes: !dryRun,
    async experimentByName(name) {
      const query = { experiment_name: name };
      try {
        return (await client.call(routes.experimentByName, { query })).experiment;
      } catch (error) {
        if (!(error instanceof MlferryError)) throw error;
        const sql = client.server.store_type === 'SqlStore';
        // FileStores up to 2.x tell only of active ones here (and would make a second one), and stumble over quotes.
        if (error.code === 'NOT_FOUND') return sql ? undefined : (await deletedExperiments()).get(name);
        if (error.code !== 'REFUSED' || sql) throw error;
        return (await byName(client, 'ALL')).get(name);
      }
    },
    async firstLocation() {
      try {
        const { experiment } = await client.call(routes.experiment, { query: { experiment_id: '0' } });
        return experiment.artifact_location;
      } catch (error) {
        if (!(error instanceof MlferryError) || endsJob(error)) throw error;
        return '';
      }
    },
    async getRun(run_id) {
      return (await client.call(routes.run, { query: { run_id } })).run.run;
    },
    async *searchRuns(experiment_ids, filter) {
      const query = { experiment_ids, filter, run_view_type: 'ALL' as const };
      for await (const page of searchRunPages(client, query, PAGE)) yield page.map(({ run }) => run);
    },
    async listArtifacts(owner, directory) {
      return (await listDirectory(client, owner, directory)).map(({ path, is_dir, file_size }) => ({
        path,
        size: is_dir ? undefined : Number(file_size ?? 0),
      }));
    },
    async createExperiment(name, tags) {
      return (await change(routes.createExperiment, { name, tags: pairs(tags) }, false)).experiment_id;
    },
    async createRun({ start_time, tags, ...run }) {
      const body = { ...run, ...(start_time === null ? {} : { start_time }), tags: pairs(tags) };
      return (await change(routes.createRun, body, false)).run.run;
    },
    setExperimentTag: (experiment_id, key, value) =>
      tell(routes.setExperimentTag, { experiment_id, key, value }),
    restoreExperiment: (experiment_id) => tell(routes.restoreExperiment, { experiment_id }),
    deleteExperiment: (experiment_id) => tell(routes.deleteExperiment, { experiment_id }),
    renameExperiment: (experiment_id, new_name) => tell(routes.updateExperiment, { experiment_id, new_name }),
    deleteExperimentTag: (experiment_id, key) => tell(routes.deleteExperimentTag, { experiment_id, key }),
    logBatch: (run_id, batch, repeat) => tell(routes.logBatch, { run_id, ...batch }, repeat),
    logInputs: (run_id, inputs) =>
      tell(routes.logInputs, {
        run_id,
        datasets: inputs.map(({ dataset, tags }) => ({ dataset, tags: pairs(tags) })),
      }),
    logOutputs: (run_id, models) => tell(routes.logOutputs, { run_id, models }, false),
    logModelInputs: (run_id, models) => tell(routes.logInputs, { run_id, models }),
    async getModel(model_id) {
      return (await client.call(within(routes.loggedModel, model_id))).model;
    },
    searchModels: (experiment_ids, filter) => searchLoggedModels(client, experiment_ids, filter),
    async createModel({ params, tags, ...model }) {
      const body = { ...model, params: pairs(params), tags: pairs(tags) };
      return (await change(routes.createLoggedModel, body, false)).model;
    },
    logModelParams: (model_id, params) =>
      tell(within(routes.logLoggedModelParams, model_id), { model_id, params: pairs(params) }),
    setModelTags: (model_id, tags) =>
      tell(within(routes.setLoggedModelTags, model_id), { model_id, tags: pairs(tags) }),
    setModelStatus: (model_id, status) =>
      tell(within(routes.finalizeLoggedModel, model_id), { model_id, status }),
    deleteModel: (model_id) => tell(within(routes.deleteLoggedModel, model_id), {}),
    deleteModelTag: (model_id, key) => tell(below(within(routes.deleteLoggedModelTag, model_id), key), {}),
    async registeredModel(name) {
      return (await registeredModelOrNone(name))?.model;
    },
    async createRegisteredModel({ tags, ...model }) {
      const body = { ...model, tags: pairs(tags) };
      return (await change(routes.createRegisteredModel, body, false)).registered_model.model;
    },
    describeRegisteredModel: (name, description) => tell(routes.updateRegisteredModel, { name, description }),
    setRegisteredModelTag: (name, key, value) => tell(routes.setRegisteredModelTag, { name, key, value }),
    deleteRegisteredModelTag: (name, key) => tell(routes.deleteRegisteredModelTag, { name, key }),
    deleteRegisteredModel: (name) => tell(routes.deleteRegisteredModel, { name }),
    deleteAlias: (name, alias) => tell(routes.deleteRegisteredModelAlias, { name, alias }),
    setAlias: (name, alias, version) => tell(routes.setRegisteredModelAlias, { name, alias, version }),
    async aliasesOf(name) {
      return (await registeredModelOrNone(name))?.aliases ?? new Map();
    },
    registeredModels: () => searchRegisteredModels(client),
    allModelVersions: () => searchModelVersions(client),
    async modelVersions(name) {
      // A literal of the search language has no escapes: a name with both quotes is looked for among all.
      const quote = ["'", '"'].find((mark) => !name.includes(mark));
      const filter = quote === undefined ? undefined : `name = ${quote}${name}${quote}`;
      const found: ModelVersion[] = [];
      for await (const version of searchModelVersions(client, filter))
        if (version.name === name) found.push(version);
      return found;
    },
    async modelVersion(name, version) {
      return (await client.call(routes.modelVersion, { query: { name, version } })).model_version;
    },
    async createModelVersion({ tags, ...version }) {
      const body = { ...version, tags: pairs(tags) };
      return (await change(routes.createModelVersion, body, false)).model_version;
    },
    describeModelVersion: ({ name, version }, description) =>
      tell(routes.updateModelVersion, { name, version, description }),
    transitionModelVersion: ({ name, version }, stage) =>
      tell(routes.transitionModelVersion, { name, version, stage, archive_existing_versions: false }),
    setModelVersionTag: ({ name, version }, key, value) =>
      tell(routes.setModelVersionTag, { name, version, key, value }),
    deleteModelVersion: ({ name, version }) => tell(routes.deleteModelVersion, { name, version }),
    deleteModelVersionTag: ({ name, version }, key) =>
      tell(routes.deleteModelVersionTag, { name, version, key }),
    scorerVersions: (experiment_id, name) => scorerVersions(client, experiment_id, name),
    async registerScorer({ experiment_id, scorer_name: name, serialized_scorer }) {
      const body = { experiment_id, name, serialized_scorer };
      return (await change(routes.registerScorer, body, false)).version;
    },
    deleteScorer: ({ experiment_id, scorer_name: name, scorer_version }) =>
      tell(routes.deleteScorer, { experiment_id, name, version: Number(scorer_version) }),
    evaluationDatasets: () => searchEvaluationDatasets(client),
    async evaluationDataset(dataset_id) {
      const { dataset } = await client.call(within(routes.evaluationDataset, dataset_id));
      return { ...dataset, experiment_ids: await experimentsOf(client, dataset_id) };
    },
    async createEvaluationDataset({ tags, ...dataset }) {
      const body = { ...dataset, tags: JSON.stringify(tags) };
      return (await change(routes.createEvaluationDataset, body, false)).dataset;
    },
    setEvaluationDatasetTags: (dataset_id, tags) =>
      tell(within(routes.setEvaluationDatasetTags, dataset_id), { tags: JSON.stringify(tags) }),
    addToExperiments: (dataset_id, experiment_ids) =>
      tell(within(routes.addToExperiments, dataset_id), { experiment_ids }),
    datasetRecords: (dataset_id) => readDatasetRecords(client, dataset_id),
    upsertDatasetRecords: (dataset_id, records) =>
      tell(within(routes.upsertEvaluationDatasetRecords, dataset_id), { records }),
    searchTraces: (experiment_id, filter) => searchTracePages(client, [experiment_id], filter),
    traceById: createTraceLookup(client),
    async logSpans(experiment_id, trace_id, spans) {
      if (dryRun) return;
      const headers = { 'content-type': 'application/x-protobuf', 'x-mlflow-experiment-id': experiment_id };
      for (const piece of exportRequests(spans, trace_id)) await client.post(routes.logSpans, piece, headers);
    },
    async startTrace(trace, marks) {
      return (await change(routes.startTrace, { trace: { trace_info: traceBody(trace, marks) } })).trace
        .trace_info;
    },
    async olderTrace(trace_id) {
      return (await client.call(within(routes.olderTrace, trace_id))).trace_info;
    },
    async beginOlderTrace(trace, marks) {
      return (await change(routes.beginOlderTrace, olderTraceBody(trace, marks), false)).trace_info;
    },
    async endOlderTrace(trace, marks) {
      const { trace_id, state, request_time, execution_duration } = trace;
      if (state === 'IN_PROGRESS') {
        for (const [key, value] of Object.entries({ ...trace.tags, ...marks }))
          await tell(within(routes.setOlderTraceTag, trace_id), { key, value });
        return;
      }
      const { timestamp_ms: _, experiment_id: __, ...maps } = olderTraceBody(trace, marks);
      await tell(within(routes.endOlderTrace, trace_id), {
        ...maps,
        timestamp_ms: String(BigInt(request_time) + BigInt(execution_duration ?? 0)),
        status: state === 'STATE_UNSPECIFIED' ? 'TRACE_STATUS_UNSPECIFIED' : state,
      });
    },
    deleteTraces: (experiment_id, request_ids) => tell(routes.deleteTraces, { experiment_id, request_ids }),
    createAssessment: (trace_id, assessment) =>
      tell(
        within(routes.createAssessment, trace_id),
        { assessment: assessmentBody(trace_id, assessment) },
        false,
      ),
    deleteAssessment: (trace_id, assessment_id) =>
      tell(below(within(routes.deleteAssessment, trace_id), assessment_id), {}),
    setTraceTag: (trace_id, key, value) => tell(within(routes.setTraceTag, trace_id), { key, value }),
    linkTraces: (trace_ids, run_id) => tell(routes.linkTraces, { trace_ids, run_id }),
    linkPrompts: (trace_id, prompt_versions) => tell(routes.linkPrompts, { trace_id, prompt_versions }),
    updateRun: (run_id, update) => tell(routes.updateRun, { run_id, ...update }),
    async deleteTag(run_id, key) {
      try {
        await tell(routes.deleteTag, { run_id, key });
      } catch (error) {
        const isAbsent = error instanceof MlferryError && error.code === 'UNSUPPORTED';
        if (isMlflow(client.server) || !isAbsent) throw error;
        await tell(routes.logBatch, { run_id, params: [], metrics: [], tags: [{ key, value: '' }] });
      }
    },
    deleteRun: (run_id) => tell(routes.deleteRun, { run_id }),
    restoreRun: (run_id) => tell(routes.restoreRun, { run_id }),
  };
}

/** A removal (or a restore of an experiment) that is repeated finds nothing to do: the first try, whose answer was lost, did it. */
export async function unlessMissing(request: Promise<void>): Promise<void> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof MlferryError) || error.code !== 'NOT_FOUND') throw error;
  }
}

async function byName(client: TrackingClient, view: ViewType): Promise<Map<string, Experiment>> {
  const found = new Map<string, Experiment>();
  for await (const experiment of searchExperiments(client, view)) found.set(experiment.name, experiment);
  return found;
}
