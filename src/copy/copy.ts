import { runDigest, withoutDeletedRuns } from '../model/canonical.ts';
import type { Experiment, Run } from '../model/records.ts';
import { type Selection, wantsWholeExperiments } from '../model/selection.ts';
import { ownValue } from '../model/string-map.ts';
import type { Reader, RunReader, TargetExperiment, Writer, WrittenRun } from '../places/place.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { readAhead } from '../util/read-ahead.ts';
import { carriedRun, type Parts, partDigest } from './carried-run.ts';
import { PARENT_TAG, remapRun, runReferences, unresolvedTags } from './remap.ts';
import { type RenameRule, renamed } from './rename.ts';
import { exitStatus, failureOf, type Ledger, type Report } from './report.ts';
import { type OpenReferences, referenceKept, settlementOf } from './settle.ts';

/** Where a copy stands; sent after every change. */
export interface Progress {
  readonly experiment: string;
  readonly experiments: { done: number; total: number };
  readonly runs: { seen: number; done: number; failed: number };
  readonly points: number;
  readonly bytes: number;
}

/** How to copy. */
export interface CopyOptions {
  readonly selection: Selection;
  /** Runs in flight. */
  readonly concurrency: number;
  readonly rename: readonly RenameRule[];
  /** One experiment of the target for all runs. */
  readonly into?: string | undefined;
  readonly parts: Parts;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  readonly ledger: Ledger;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What a copy leaves: the report, and source id → target id of everything that is on the target now. */
export interface CopyResult {
  readonly report: Report;
  readonly runIds: ReadonlyMap<string, string>;
  readonly experimentIds: ReadonlyMap<string, string>;
}

/** Runs handed to the readers together, so that histories can be fetched together: MLflow's bulk route takes 100. */
const CHUNK = 100;

interface Work {
  readonly source: RunReader;
  readonly experiment: TargetExperiment;
}

/**
 * Copies the selected runs. Job-level errors end the copy, which is then aborted and reported in `report.error`;
 * whatever fails for one run is listed and the others go on. Running it again sends only what is missing.
 */
export async function copy(reader: Reader, writer: Writer, options: CopyOptions): Promise<CopyResult> {
  const { selection, ledger, signal } = options;
  const started = performance.now();
  const counts = {
    experiments: { read: 0, created: 0 },
    runs: { read: 0, created: 0, updated: 0, unchanged: 0, left: 0, failed: 0, left_out: 0 },
    sent: { points: 0, artifacts: 0, artifact_bytes: 0 },
  };
  const flow = { experiment: '', total: 0, done: 0, points: 0, bytes: 0 };
  const runIds = new Map<string, string>();
  const experimentIds = new Map<string, string>();
  const open: OpenReferences[] = [];
  const postponed: Work[] = [];
  const deletedRuns: Array<{ run_id: string; experiment_id: string; deleted_time?: number | string }> = [];
  const deletedExperiments = new Set<string>();

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

  const originOf = (run: Run) => `${reader.info.fingerprint}/${run.run_id}`;
  const digestOf = (run: Run) => partDigest(runDigest(run), options.parts);

  const note = (source: Run, experiment: TargetExperiment, written: WrittenRun) => {
    counts.runs[written.outcome] += 1;
    counts.sent.points += written.points;
    counts.sent.artifacts += written.artifacts;
    counts.sent.artifact_bytes += written.bytes;
    runIds.set(source.run_id, written.run_id);
    if (written.outcome === 'left') {
      ledger.loss({
        code: 'LEFT_DELETED',
        experiment_name: experiment.name,
        run_id: source.run_id,
        detail: `its copy ${written.run_id} was deleted on the target and was left deleted`,
      });
    }
    progress();
  };

  const failed = (source: Run, error: unknown) => {
    const known = asMlferryError(error, 'BUG');
    if (known.meaning.scope === 'job' && known.code !== 'BUG') throw known;
    counts.runs.failed += 1;
    ledger.failure(failureOf(`run ${source.run_id} ("${source.run_name}")`, known));
    progress();
  };

  const targetExperiment = async (source: Experiment): Promise<TargetExperiment> => {
    const name = options.into ?? renamed(source.name, options.rename);
    const asTarget: Experiment =
      options.into === undefined ? source : { ...source, lifecycle_stage: 'active', tags: {} };
    const carried = writer.ids === 'target' ? withoutDeletedRuns(asTarget) : asTarget;
    const target = await writer.experiment(carried, name);
    if (target.created) counts.experiments.created += 1;
    experimentIds.set(source.experiment_id, target.experiment_id);
    if (asTarget.lifecycle_stage === 'deleted') deletedExperiments.add(target.experiment_id);
    return target;
  };

  /** The runs of a chunk that the target does not hold yet, or not whole. */
  const stale = async (chunk: readonly Work[]): Promise<Work[]> => {
    const rest: Work[] = [];
    for (const work of chunk) {
      const { source, experiment } = work;
      const full = runDigest(source.run);
      try {
        const part = partDigest(full, options.parts);
        const current =
          (await writer.isCurrent(source.run, experiment, full)) ??
          (part === full ? undefined : await writer.isCurrent(source.run, experiment, part));
        if (current === undefined) rest.push(work);
        else {
          note(source.run, experiment, current);
          keepOpenParent(source.run, experiment, current);
        }
      } catch (error) {
        failed(source.run, error);
      }
    }
    if (rest.length > 0 && options.parts.metrics) reader.prefetch?.(rest.map(({ source }) => source));
    return rest;
  };

  const keepOpenParent = (source: Run, experiment: TargetExperiment, written: WrittenRun) => {
    const parent = ownValue(source.tags, PARENT_TAG);
    if (written.origin_parent === undefined || written.origin_parent !== parent) return;
    open.push({
      source: { run_id: source.run_id, artifact_uri: source.artifact_uri },
      own: { run_id: written.run_id, experiment_id: experiment.experiment_id, artifact_uri: '' },
      experiment_name: experiment.name,
      tags: new Map([[PARENT_TAG, parent]]),
      digest: undefined,
    });
  };

  async function* chunks(): AsyncGenerator<Work[]> {
    const experiments: Experiment[] = [];
    for await (const experiment of reader.experiments(selection)) experiments.push(experiment);
    flow.total = experiments.length;
    let chunk: Work[] = [];
    for (const source of experiments) {
      flow.experiment = source.name;
      counts.experiments.read += 1;
      try {
        const whole = wantsWholeExperiments(selection);
        if (whole) counts.runs.left_out += (await reader.hiddenRuns?.(source, selection)) ?? 0;
        let target = whole ? await targetExperiment(source) : undefined;
        for await (const run of reader.runs(source, selection)) {
          target ??= await targetExperiment(source);
          counts.runs.read += 1;
          chunk.push({ source: run, experiment: target });
          if (chunk.length < CHUNK) continue;
          yield await stale(chunk);
          chunk = [];
        }
      } catch (error) {
        const known = asMlferryError(error, 'BUG');
        if (known.meaning.scope === 'job') throw known;
        ledger.failure(failureOf(`experiment "${source.name}"`, known));
      }
      flow.done += 1;
      progress();
    }
    if (chunk.length > 0) yield await stale(chunk);
  }

  async function* work(): AsyncGenerator<Work> {
    for await (const chunk of readAhead(chunks())) yield* chunk;
  }

  const copyRun = async ({ source, experiment }: Work) => {
    if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted');
    const carried = carriedRun(source, options.parts, (points, bytes) => {
      flow.points += points;
      flow.bytes += bytes;
      progress();
    });
    const { run } = carried;
    const keepsIds = writer.ids === 'source';
    const references = runReferences(run);
    const tags = keepsIds ? new Map<string, string>() : unresolvedTags(run, references.tags, runIds);
    const digest = digestOf(source.run);
    try {
      let own = {
        run_id: run.run_id,
        experiment_id: experiment.experiment_id,
        artifact_uri: run.artifact_uri,
      };
      const written = await writer.run(carried, {
        experiment,
        origin: originOf(run),
        digest: tags.size === 0 ? digest : undefined,
        remap(ids) {
          if (keepsIds) return run;
          own = { ...ids, experiment_id: experiment.experiment_id };
          return remapRun(run, own, runIds);
        },
      });
      note(run, experiment, written);
      const kept = keepsIds ? [] : references.inputs.filter((id) => !runIds.has(id));
      if (kept.length > 0) ledger.loss(referenceKept(experiment.name, run.run_id, 'dataset input', kept));
      if (tags.size > 0) {
        const { run_id, artifact_uri } = run;
        open.push({
          source: { run_id, artifact_uri },
          own: { ...own, run_id: written.run_id },
          experiment_name: experiment.name,
          tags,
          digest,
        });
      }
      if (
        run.lifecycle_stage === 'deleted' &&
        written.outcome !== 'unchanged' &&
        written.outcome !== 'left'
      ) {
        const { run_id } = written;
        const time = run.deleted_time;
        deletedRuns.push({
          run_id,
          experiment_id: experiment.experiment_id,
          ...(time === undefined ? {} : { deleted_time: time }),
        });
      }
    } catch (error) {
      failed(run, error);
    }
  };

  /** A dataset source that names a run not copied yet cannot be mended later: such runs go last. */
  const copyOrPostpone = async (item: Work) => {
    const waits =
      writer.ids === 'target' && runReferences(item.source.run).inputs.some((id) => !runIds.has(id));
    if (waits) postponed.push(item);
    else await copyRun(item);
  };

  let stopped: MlferryError | undefined;
  try {
    if (options.into !== undefined && writer.ids === 'source') {
      throw new MlferryError(
        'USAGE',
        '--into cannot be used with an archive or stream: use it when you restore',
      );
    }
    await mapConcurrent(work(), options.concurrency, copyOrPostpone);
    await mapConcurrent(postponed, options.concurrency, copyRun);
    if (writer.ids === 'target') {
      const { tags, losses } = await settlementOf(open, runIds, writer);
      for (const loss of losses) ledger.loss(loss);
      await writer.settle({ tags, deleted_runs: deletedRuns, deleted_experiments: [...deletedExperiments] });
    }
    await writer.finish();
  } catch (error) {
    stopped = signal.aborted
      ? new MlferryError('INTERRUPTED', 'Interrupted', { cause: error })
      : asMlferryError(error);
    await writer.abort();
  }

  const report: Report = {
    from: reader.info,
    to: writer.info,
    dry_run: options.dryRun,
    ...counts,
    loss_counts: Object.fromEntries(ledger.lossCounts),
    losses: ledger.losses,
    failures: ledger.failures,
    unlisted: ledger.unlisted(),
    ...(stopped === undefined
      ? {}
      : { error: { code: stopped.code, message: stopped.message, hint: stopped.hint } }),
    seconds: (performance.now() - started) / 1000,
    exit_status: exitStatus(stopped, ledger.failureCount()),
  };
  return { report, runIds, experimentIds };
}
