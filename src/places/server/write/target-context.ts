import { Readable } from 'node:stream';
import pLimit, { type LimitFunction } from 'p-limit';
import type { ArtifactSink } from '../../../artifacts/sink.ts';
import type { Findings } from '../../../model/findings.ts';
import { toDouble } from '../../../model/metric-value.ts';
import { limitsOf, type TargetLimits, withColumns } from '../../../model/mlflow/limits.ts';
import { createPointSet, type PointSet } from '../../../model/point-set.ts';
import { forEachPoint } from '../../../model/points.ts';
import type { WriterOptions } from '../../place-options.ts';
import type { KeyPoint } from '../../writing/sift-points.ts';
import { isAtLeast } from '../connect/capabilities.ts';
import type { ServerOwner } from '../connect/owner.ts';
import type { TrackingClient } from '../connect/tracking-client.ts';
import { readHistory } from '../read/history.ts';
import type { Patience } from './create-once.ts';
import { BATCH_LIMITS, type BatchLimits } from './log-batches.ts';
import { PROBE, sinkOf, type Uploads, uploadSink } from './sink-of.ts';
import type { ExperimentState } from './target-experiments.ts';
import { type TargetRoutes, targetRoutes } from './target-routes.ts';

/** What all parts of the writing side share, and what they learnt about the target. */
export interface TargetContext extends Patience {
  readonly client: TrackingClient;
  readonly routes: TargetRoutes;
  readonly findings: Findings;
  readonly tempDir: string;
  /** Whether an entry without sha256 has no bytes. */
  readonly hashesTellBytes: boolean;
  /** The source is an archive, stream or export, which may have fewer files than what it was taken from. */
  readonly isRecorded: boolean;
  readonly batchLimits: BatchLimits;
  /** Datasets go one request at a time: new ones are rows that concurrent requests would both insert. */
  readonly inputsLimit: LimitFunction;
  /** What the server was found to have no routes for. */
  readonly lacks: Set<'inputs'>;
  /** `SqlStore`, `FileStore` …; unknown before MLflow 3.10. */
  readonly store: string | undefined;
  limits(): TargetLimits;
  /** From now on the limits of database columns hold, too. */
  limitToColumns(): void;
  /** The run's points of a key. */
  pointsOf(run_id: string, key: string): Promise<PointSet>;
  /** Whether the target keeps a ±Infinity or -0 as it is; asked once of a point that was just sent. */
  keeps(kind: 'infinity' | 'negative zero', run_id: string, sample: KeyPoint): Promise<boolean>;
  /** Where the files of a run or model go; `undefined` when they cannot be reached from here. */
  sinkOf(experiment: ExperimentState | undefined, owner: ServerOwner): Promise<ArtifactSink | undefined>;
}

/** Files of {@link uploadSink} that are sent at once: each is in memory. */
const UPLOADS = 4;

/** The context of a writer's pass. */
export function targetContext(client: TrackingClient, options: WriterOptions): TargetContext {
  const routes = targetRoutes(client, options.dryRun);
  const store = client.server.store_type;
  const kept = new Map<string, Promise<boolean>>();
  const uploaded = new Map<string, Uploads>();
  const uploadsAtOnce = pLimit(UPLOADS);
  const sharedRoots = new Map<string, Promise<boolean>>();
  let limits = limitsOf(client.server.version);

  async function eachPoint(
    run_id: string,
    key: string,
    use: Parameters<typeof forEachPoint>[1],
  ): Promise<void> {
    await readHistory(client, run_id, key, {
      append: async (points) => forEachPoint(points, use),
      // A page that comes twice changes nothing here.
      mark: () => 0,
      cutBack: () => undefined,
    });
  }

  async function readsBack(run_id: string, { key, point }: KeyPoint): Promise<boolean> {
    let found = false;
    await eachPoint(run_id, key, (step, timestamp, value) => {
      found ||= step === point[0] && timestamp === point[1] && Object.is(value, toDouble(point[2]));
    });
    return found;
  }

  /** Whether the server sees what is written here: a directory may be one of another machine, a bucket that of another store. */
  async function isShared(sink: ArtifactSink, owner: ServerOwner): Promise<boolean> {
    try {
      await sink.put(PROBE, 0, async () => Readable.from([]));
      try {
        return (await routes.listArtifacts(owner, '')).some(({ path }) => path === PROBE);
      } finally {
        await sink.remove?.(PROBE);
      }
    } catch {
      // Credentials that may write and not delete are none to go on with: the server is asked instead, and no run fails for them.
      return false;
    }
  }

  return {
    client,
    routes,
    findings: options.findings,
    signal: options.signal,
    backoff: client.backoff,
    tempDir: options.tempDir,
    hashesTellBytes: options.sourceTraits.fileBytes === 'where hashed',
    isRecorded: !options.sourceTraits.ownFingerprint,
    batchLimits: {
      ...BATCH_LIMITS,
      keys: isAtLeast(client.server, '3.11') ? BATCH_LIMITS.metrics : BATCH_LIMITS.keys,
    },
    inputsLimit: pLimit(1),
    lacks: new Set(),
    store,
    limits: () => limits,
    limitToColumns() {
      limits = withColumns(limits);
    },
    async pointsOf(run_id, key) {
      const points = createPointSet();
      await eachPoint(run_id, key, points.add);
      return points;
    },
    async keeps(kind, run_id, sample) {
      if (store === 'FileStore') return true;
      if (store === 'SqlStore' && kind === 'infinity') return false;
      if (!routes.changes) return false;
      const answer = kept.get(kind) ?? readsBack(run_id, sample);
      kept.set(kind, answer);
      return answer;
    },
    async sinkOf(experiment, owner) {
      const root = experiment?.experiment_id ?? owner.artifact_uri;
      const uploads = uploaded.get(root) ?? { limit: uploadsAtOnce };
      uploaded.set(root, uploads);
      const sink = await sinkOf(client, owner, uploads);
      if ((sink?.kind !== 'local' && sink?.kind !== 'store') || !routes.changes) return sink;
      const known = sharedRoots.get(root);
      // No route lists what a trace has beside it: what the store's credentials reach is taken for the same.
      if (known === undefined && sink.kind === 'store' && owner.list === undefined) return sink;
      const shared = known ?? isShared(sink, owner);
      sharedRoots.set(root, shared);
      if (!(await shared)) return uploadSink(client, owner, uploads);
      // A process that was killed while it asked has left the file behind.
      if (sink.kind === 'local') await sink.remove?.(PROBE);
      return sink;
    },
  };
}
