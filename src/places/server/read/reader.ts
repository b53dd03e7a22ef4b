import { createHash } from 'node:crypto';
import type { Experiment, Run } from '../../../model/records.ts';
import { type Selection, selectsRun } from '../../../model/selection.ts';
import { ownValue } from '../../../model/string-map.ts';
import { evaluateExperiment } from '../../../search/evaluate.ts';
import { searchOf } from '../../../search/search-of.ts';
import { errorCodes, MlferryError } from '../../../util/errors.ts';
import type { MetricPoints, PlaceInfo, Reader } from '../../place.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { createPointStore } from '../../reading/point-store.ts';
import { withoutRepeats } from '../../reading/without-repeats.ts';
import { type RunSource, type SourceRun, selectingReader } from '../../selecting/selecting-reader.ts';
import type { ServerRun } from '../connect/answers.ts';
import { connect } from '../connect/client.ts';
import { knowsEvaluation } from '../connect/knows-evaluation.ts';
import { runOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import type { ServerLocation } from '../location.ts';
import { SERVER_TRAITS } from '../traits.ts';
import { serverRepresentation } from '../write/representation.ts';
import { listArtifacts, openArtifact } from './artifacts.ts';
import { evaluationDatasets } from './evaluation-datasets.ts';
import { readHistory } from './history.ts';
import { knowsModels, loggedModels, modelLinksOf } from './logged-models.ts';
import { madeAnew } from './made-anew.ts';
import { createPrefetch, type Prefetch } from './prefetch.ts';
import { registry } from './registry.ts';
import { createRunSearch, VIEW_TYPES } from './run-search.ts';
import { runsLike } from './runs-like.ts';
import { scorers } from './scorers.ts';
import { countRuns, searchRuns } from './searches.ts';
import { type Missing, selectExperiments, selectRuns } from './selected.ts';
import { knowsTraces, traces } from './traces.ts';

/** Points held in memory by one reader: some 10 MB, and what waits for the garbage collector with them. */
const BUDGET_POINTS = 100_000;
/** Runs that the view leaves out are counted up to this number. */
const MOST_HIDDEN = 50_000;

/**
 * Opens a tracking server (MLflow 2.9 and newer) for reading. Throws as {@link connect} does. There is no snapshot:
 * what is logged meanwhile may be read or not.
 */
export async function openServerReader(place: ServerLocation, options: PlaceOptions): Promise<Reader> {
  const client = await connect(place, options);
  return serverReader(client, options, await knowsEvaluation(client));
}

/** The place a client is connected to. The fingerprint is made of the base URL and the workspace, or is that of what the server reads. */
export function serverPlace(client: TrackingClient): PlaceInfo {
  const identity = `${client.base.href.replace(/\/+$/, '')} ${client.workspace ?? ''}`;
  return {
    kind: 'server',
    location: client.location,
    fingerprint: client.server.serves ?? createHash('sha256').update(identity).digest('hex').slice(0, 16),
    ...(client.server.version === undefined ? {} : { server_version: client.server.version }),
  };
}

/** The reading side of a connection. `evaluation`: see {@link knowsEvaluation}. */
export function serverReader(client: TrackingClient, options: PlaceOptions, evaluation = false): Reader {
  const { tempDir, asFound = false } = options;
  const findings = withoutRepeats(options.findings);
  const budget = { free: BUDGET_POINTS };
  const prefetch = createPrefetch(client, tempDir, budget);
  /** Runs that were selected by id, by experiment. */
  const selected = new Map<string, ServerRun[]>();
  const missing: Missing = (object, reason, hint = errorCodes.NOT_FOUND.hint) =>
    findings.failure({ code: 'NOT_FOUND', object, message: `${client.location}: ${reason}`, hint });
  const announce = (runs: readonly Run[], keys: readonly string[] | undefined) =>
    prefetch.announce(runs.map((run) => withKeys(run, keys)));
  const refused = (reason: string) =>
    findings.loss({ code: 'FILTERED_HERE', detail: `${reason}. mlferry looks through more runs itself` });
  const modelLinks = modelLinksOf(client);
  const search = createRunSearch(client, missing, refused, announce);

  const sourceRun = (found: ServerRun): SourceRun => ({
    run: found.run,
    metrics: (keys) =>
      readMetrics(client, found.run, keys, prefetch, () => createPointStore(tempDir, budget), asFound),
    artifacts: () => listArtifacts(client, runOwner(found.run), findings),
    open: (artifact) => openArtifact(client, runOwner(found.run), artifact, findings),
    modelLinks: () => modelLinks(found.run),
  });

  /** The experiments of a selection without run ids: those that its filter sorts out are not searched along. */
  const wantedExperiments = async (selection: Selection) => {
    const { experiment_filter: fits } = searchOf(selection);
    const experiments = await selectExperiments(client, selection, missing);
    return experiments.filter((experiment) => fits === undefined || evaluateExperiment(fits, experiment));
  };

  /** The runs of an experiment that a selection names by id or by view. */
  const runsOf = ({ experiment_id }: Experiment, { runs, view }: Selection) =>
    runs.length === 0
      ? searchRuns(client, { experiment_ids: [experiment_id], run_view_type: VIEW_TYPES[view] })
      : (selected.get(experiment_id) ?? search.byIds(experiment_id, runs));

  const source: RunSource = {
    info: serverPlace(client),
    traits: { ...SERVER_TRAITS, modelsInRuns: !knowsModels(client) },
    representation: serverRepresentation(client),
    objects: new Map([
      ...(knowsModels(client) ? [['logged_model', loggedModels(client, findings)] as const] : []),
      ...registry(client, findings),
      ...(evaluation ? [['scorer', scorers(client)] as const, ...evaluationDatasets(client)] : []),
      ...(knowsTraces(client) ? [['trace', traces(client, findings)] as const] : []),
      ...(evaluation ? madeAnew(client, findings) : []),
    ]),
    experiments: async function* (selection) {
      if (selection.runs.length === 0) {
        const experiments = await wantedExperiments(selection);
        search.expect(experiments);
        yield* experiments;
        return;
      }
      for (const { experiment, runs } of await selectRuns(client, selection, missing)) {
        selected.set(experiment.experiment_id, runs);
        yield experiment;
      }
    },
    runs: async function* (experiment, selection) {
      for await (const found of runsOf(experiment, selection)) {
        if (selectsRun(selection, found.run)) yield sourceRun(found);
      }
    },
    search: async function* (experiment, selection, filter) {
      if (selection.runs.length > 0) {
        for await (const run of source.runs(experiment, selection)) yield { source: run, recheck: filter };
        return;
      }
      for await (const { found, recheck } of search.find(experiment.experiment_id, selection, filter)) {
        if (selectsRun(selection, found.run)) yield { source: sourceRun(found), recheck };
      }
    },
    together: async (experiments, selection, searched) => {
      if (selection.runs.length > 0) return undefined;
      const byId = new Map(experiments.map((experiment) => [experiment.experiment_id, experiment]));
      const { streams, sorted } = await search.together(experiments, selection, searched);
      const candidatesOf = async function* (stream: (typeof streams)[number]) {
        for await (const { found, recheck } of stream) {
          const experiment = byId.get(found.run.experiment_id);
          if (experiment !== undefined && selectsRun(selection, found.run))
            yield { source: sourceRun(found), recheck };
        }
      };
      return { streams: streams.map(candidatesOf), sorted };
    },
    explain: async (selection) => {
      const experiments = await wantedExperiments(selection);
      const explained = await search.explain(experiments, selection, searchOf(selection));
      return { place: serverPlace(client), ...explained };
    },
    runsLike: (selection, start) => runsLike(client, selection, start),
    prefetch: (readers, keys) =>
      announce(
        readers.map(({ run }) => run),
        keys,
      ),
    hiddenRuns: async ({ experiment_id }, { view, runs }) => {
      if (view === 'all' || runs.length > 0) return 0;
      return countRuns(
        client,
        experiment_id,
        view === 'active' ? 'DELETED_ONLY' : 'ACTIVE_ONLY',
        MOST_HIDDEN,
      );
    },
    close: async () => {
      await client.close();
      await prefetch.close();
    },
  };
  return selectingReader(source, { ...options, findings });
}

/** The run with some of its metrics only. */
function withKeys(run: Run, keys: readonly string[] | undefined): Run {
  if (keys === undefined) return run;
  const entries = Object.entries(run.latest_metrics).filter(([key]) => keys.includes(key));
  return { ...run, latest_metrics: Object.fromEntries(entries) };
}

/**
 * All histories of a run: prefetched ones as they come, the others with a request each. A history that lacks the point
 * which the server itself calls the latest is read again by itself; when it still does, SERVER_ERROR is thrown, unless
 * `asFound`.
 */
async function* readMetrics(
  client: TrackingClient,
  run: Run,
  keys: readonly string[] | undefined,
  prefetch: Prefetch,
  createStore: () => ReturnType<typeof createPointStore>,
  asFound: boolean,
): AsyncGenerator<MetricPoints> {
  const store = createStore();
  try {
    for (const key of Object.keys(withKeys(run, keys).latest_metrics).sort()) {
      const latest = ownValue(run.latest_metrics, key);
      if (latest === undefined) continue;
      let sequence = await prefetch.take(run.run_id, key);
      if (sequence?.hasLatest !== true) {
        sequence = store.sequence(latest);
        await readHistory(client, run.run_id, key, sequence);
      }
      if (!sequence.hasLatest && !asFound) {
        const message = `Run ${run.run_id}: the history of ${JSON.stringify(key)} lacks its latest point ${JSON.stringify(latest)}`;
        throw new MlferryError('SERVER_ERROR', message);
      }
      for await (const points of sequence.pieces()) yield { key, points };
    }
    prefetch.release(run.run_id);
  } finally {
    await store.close();
  }
}
