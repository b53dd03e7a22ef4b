import { createHash } from 'node:crypto';
import type { Findings } from '../../model/findings.ts';
import type { Run } from '../../model/records.ts';
import { selectsRun } from '../../model/selection.ts';
import { ownValue } from '../../model/string-map.ts';
import { errorCodes, MlferryError } from '../../util/errors.ts';
import type { MetricPoints, PlaceInfo, PlaceOptions, Reader, RunReader } from '../place.ts';
import { listArtifacts, openArtifact } from './artifacts.ts';
import { connect, type ServerLocation, type TrackingClient } from './client.ts';
import { readHistory } from './history.ts';
import { reportModelLinks, reportNotCarried } from './not-carried.ts';
import { createPointStore } from './point-store.ts';
import { createPrefetch, type Prefetch } from './prefetch.ts';
import type { ServerRun } from './schemas.ts';
import { countRuns, searchRuns, type ViewType } from './searches.ts';
import { type Missing, selectExperiments, selectRuns } from './selected.ts';

/** Points held in memory by one reader: some 10 MB, and what waits for the garbage collector with them. */
const BUDGET_POINTS = 100_000;
/** Runs that the view leaves out are counted up to this number. */
const MOST_HIDDEN = 50_000;

const VIEW_TYPES: Readonly<Record<'active' | 'deleted' | 'all', ViewType>> = {
  active: 'ACTIVE_ONLY',
  deleted: 'DELETED_ONLY',
  all: 'ALL',
};

/**
 * Opens a tracking server (MLflow 2.9 and newer) for reading. Throws as {@link connect} does. There is no snapshot:
 * what is logged meanwhile may be read or not.
 */
export async function openServerReader(place: ServerLocation, options: PlaceOptions): Promise<Reader> {
  return serverReader(await connect(place, options), options);
}

/** The place a client is connected to. The fingerprint is made of the base URL and the workspace. */
export function serverPlace(client: TrackingClient): PlaceInfo {
  const identity = `${client.base.href.replace(/\/+$/, '')} ${client.workspace ?? ''}`;
  return {
    kind: 'server',
    location: client.location,
    fingerprint: createHash('sha256').update(identity).digest('hex').slice(0, 16),
    ...(client.server.version === undefined ? {} : { server_version: client.server.version }),
  };
}

/** The reading side of a connection. */
export function serverReader(client: TrackingClient, { findings: all, tempDir }: PlaceOptions): Reader {
  const findings = withoutRepeats(all);
  const budget = { free: BUDGET_POINTS };
  const prefetch = createPrefetch(client, tempDir, budget);
  /** Runs that were selected by id, by experiment. */
  const selected = new Map<string, ServerRun[]>();
  const missing: Missing = (object, reason, hint = errorCodes.NOT_FOUND.hint) =>
    findings.failure({ code: 'NOT_FOUND', object, message: `${client.location}: ${reason}`, hint });

  const runReader = ({ run }: ServerRun): RunReader => ({
    run,
    metrics: () => readMetrics(client, run, prefetch, () => createPointStore(tempDir, budget)),
    artifacts: () => listArtifacts(client, run, findings),
    open: (artifact) => openArtifact(client, run, artifact, findings),
  });

  return {
    info: serverPlace(client),
    experiments: async function* (selection) {
      if (selection.runs.length === 0) {
        yield* await selectExperiments(client, selection, missing);
        return;
      }
      for (const { experiment, runs } of await selectRuns(client, selection, missing)) {
        selected.set(experiment.experiment_id, runs);
        yield experiment;
      }
    },
    runs: async function* (experiment, selection) {
      const { experiment_id, name } = experiment;
      if (selection.runs.length === 0) await reportNotCarried(client, experiment, findings);
      const runs =
        selection.runs.length === 0
          ? searchRuns(client, experiment_id, VIEW_TYPES[selection.view])
          : (selected.get(experiment_id) ?? []);
      for await (const found of runs) {
        if (!selectsRun(selection, found.run)) continue;
        reportModelLinks(found, name, findings);
        yield runReader(found);
      }
    },
    prefetch: (readers) => prefetch.announce(readers.map(({ run }) => run)),
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
}

/**
 * All histories of a run: prefetched ones as they come, the others with a request each. A history that lacks the point
 * which the server itself calls the latest is read again by itself; when it still does, SERVER_ERROR is thrown.
 */
async function* readMetrics(
  client: TrackingClient,
  run: Run,
  prefetch: Prefetch,
  createStore: () => ReturnType<typeof createPointStore>,
): AsyncGenerator<MetricPoints> {
  const store = createStore();
  try {
    for (const key of Object.keys(run.latest_metrics).sort()) {
      const latest = ownValue(run.latest_metrics, key);
      if (latest === undefined) continue;
      let sequence = await prefetch.take(run.run_id, key);
      if (sequence?.hasLatest !== true) {
        sequence = store.sequence(latest);
        await readHistory(client, run.run_id, key, sequence);
      }
      if (!sequence.hasLatest) {
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

/** Findings that pass each loss and failure on once, however often a run is read. */
function withoutRepeats({ loss, failure }: Findings): Findings {
  const noted = new Set<string>();
  const once = (what: object, pass: () => void) => {
    const text = JSON.stringify(what);
    if (!noted.has(text)) pass();
    noted.add(text);
  };
  return {
    loss: (found) => once(found, () => loss(found)),
    failure: (found) => once(found, () => failure(found)),
  };
}
