import type { Journal } from '../job/journal.ts';
import { failureOf, type Ledger } from '../job/ledger.ts';
import type { Progress } from '../job/progress.ts';
import type { RenameRule } from '../job/rename.ts';
import type { Shard } from '../job/shard.ts';
import { createIdMap, type IdMap } from '../kinds/id-map.ts';
import type { ObjectKind } from '../kinds/kind.ts';
import type { Parts } from '../kinds/parts.ts';
import type { FoundObject } from '../model/findings.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { ModelsOfRuns } from '../places/models-in-runs.ts';
import type { Reader, RunReader, TargetExperiment, Writer, WrittenRun } from '../places/place.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import type { ObjectCounts, Report } from './report.ts';
import type { OpenReferences } from './second-pass.ts';

/** How to copy. */
export interface CopyOptions {
  readonly selection: Selection;
  /** Runs in flight. */
  readonly concurrency: number;
  readonly rename: readonly RenameRule[];
  /** One experiment of the target for all runs. */
  readonly into?: string | undefined;
  /** Runs that the target has under the ids of the source. */
  readonly held?: readonly string[] | undefined;
  /** Active runs of this shard alone, with what they hold themselves; all else is for a last pass without it. */
  readonly shard?: Shard | undefined;
  readonly parts: Parts;
  /** Of files; the places pace their requests themselves. */
  readonly bandwidth?: Bandwidth | undefined;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly ledger: Ledger;
  readonly journal?: Journal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A source run and the experiment it goes to. */
export interface Work {
  readonly source: RunReader;
  readonly experiment: TargetExperiment;
}

/** What a pass knows and has done so far. Per run only its ids stay in memory. */
export interface Pass {
  readonly reader: Reader;
  readonly writer: Writer;
  readonly options: CopyOptions;
  readonly counts: Pick<Report, 'experiments' | 'runs' | 'sent'>;
  /** Counts of the further kinds that came up, by the key of the kind. */
  readonly objects: Map<string, ObjectCounts>;
  objectCounts(of: ObjectKind): ObjectCounts;
  /** What is being read right now, for the progress. */
  readonly flow: { experiment: string; total: number; done: number; points: number; bytes: number };
  /** Source id → target id of what is on the target now, by kind. */
  readonly ids: IdMap;
  /** Objects of the further kinds that were read, by their source ids. */
  readonly seen: IdMap;
  /** Objects of the further kinds that selected runs name, by their source ids: they go along. */
  readonly named: IdMap;
  /** Logged models, where those of a run go among its files. */
  models: ModelsOfRuns | undefined;
  /** Those that did, by their source ids, and what became of their runs. */
  readonly inRuns: Map<string, WrittenRun['outcome']>;
  /** Selected experiments. */
  readonly experiments: Experiment[];
  /** What the second pass has to do. */
  readonly open: OpenReferences[];
  /** Source ids of what failed. */
  readonly failed: Set<string>;
  readonly deletedRuns: Array<{ run_id: string; experiment_id: string; deleted_time?: number | string }>;
  readonly deletedExperiments: Set<string>;
  progress(): void;
  /** A run is on the target. */
  wrote(source: Run, experiment: TargetExperiment, written: WrittenRun): void;
  /** A run failed: listed, unless the error ends the job, which is thrown. */
  runFailed(source: Run, error: unknown): void;
  /** The same for an experiment. */
  experimentFailed(source: Experiment, error: unknown): void;
  /** The same for an object of a further kind. */
  objectFailed(of: FoundObject, error: unknown): void;
  /** The objects of a kind could not be read to their end. */
  kindFailed(of: ObjectKind, error: unknown): void;
}

/** A pass that has done nothing yet. */
export function startPass(reader: Reader, writer: Writer, options: CopyOptions): Pass {
  const { ledger } = options;
  const counts = {
    experiments: { read: 0, created: 0 },
    runs: { read: 0, created: 0, updated: 0, unchanged: 0, left: 0, failed: 0, left_out: 0 },
    sent: { points: 0, artifacts: 0, artifact_bytes: 0 },
  };
  const flow = { experiment: '', total: 0, done: 0, points: 0, bytes: 0 };
  const ids = createIdMap();
  const objects = new Map<string, ObjectCounts>();
  const list = (of: FoundObject, error: unknown, object?: string) => {
    const known = asMlferryError(error, 'BUG');
    if (endsJob(known, ['BUG'])) throw known;
    ledger.failure(failureOf(of, known, object));
  };
  const failed = new Set<string>();

  const progress = () =>
    options.onProgress?.({
      experiment: flow.experiment,
      experiments: { done: flow.done, total: flow.total },
      runs: {
        seen: counts.runs.read,
        done: counts.runs.created + counts.runs.updated + counts.runs.unchanged + counts.runs.left,
        failed: counts.runs.failed,
      },
      points: flow.points,
      bytes: flow.bytes,
    });

  return {
    reader,
    writer,
    options,
    counts,
    flow,
    objects,
    objectCounts(of) {
      const own = objects.get(of.counted) ?? noObjects();
      objects.set(of.counted, own);
      return own;
    },
    ids,
    seen: createIdMap(),
    named: createIdMap(),
    models: undefined,
    inRuns: new Map(),
    experiments: [],
    open: [],
    failed,
    deletedRuns: [],
    deletedExperiments: new Set(),
    progress,
    wrote(source, experiment, written) {
      counts.runs[written.outcome] += 1;
      counts.sent.points += written.points;
      counts.sent.artifacts += written.artifacts;
      counts.sent.artifact_bytes += written.bytes;
      ids.of('run').set(source.run_id, written.run_id);
      if (written.outcome === 'left') {
        ledger.loss({
          code: 'LEFT_DELETED',
          experiment_name: experiment.name,
          run_id: source.run_id,
          detail: `its copy ${written.run_id} was deleted on the target and was left deleted`,
        });
      }
      progress();
    },
    runFailed({ run_id: id, run_name: name }, error) {
      list({ kind: 'run', id, name }, error);
      counts.runs.failed += 1;
      failed.add(id);
      progress();
    },
    experimentFailed({ experiment_id: id, name }, error) {
      const known = asMlferryError(error, 'BUG');
      if (endsJob(known)) throw known;
      failed.add(id);
      list({ kind: 'experiment', id, name }, error, `experiment "${name}"`);
    },
    objectFailed(of, error) {
      list(of, error);
      failed.add(of.id);
    },
    kindFailed: ({ kind, words }, error) => list({ kind, id: '' }, error, words.many),
  };
}

const noObjects = (): ObjectCounts => ({
  read: 0,
  created: 0,
  updated: 0,
  unchanged: 0,
  left: 0,
  failed: 0,
  not_held: 0,
  left_out: 0,
});
