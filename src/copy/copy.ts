import { exitStatus } from '../job/ledger.ts';
import { noteUnknownWords } from '../job/unknown-words.ts';
import type { Ids } from '../kinds/id-map.ts';
import { hasLinks, MODEL } from '../kinds/model-links.ts';
import { type RunIds, runReferences } from '../kinds/remap.ts';
import { PARENT_TAG } from '../model/mlflow/tags.ts';
import type { Reader, Writer } from '../places/place.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { mapConcurrent } from '../util/map-concurrent.ts';
import { copyObjects } from './copy-objects.ts';
import { copyRun } from './copy-run.ts';
import { type CopyOptions, type Pass, startPass, type Work } from './pass.ts';
import type { Report } from './report.ts';
import { secondPassOf, withOthers } from './second-pass.ts';
import { staleRuns } from './stale-runs.ts';

/** What a copy leaves: the report, and source id → target id of everything that is on the target now, by kind. */
export interface CopyResult {
  readonly report: Report;
  readonly ids: Ids;
}

/**
 * Copies the selected runs. Job-level errors end the copy, which is then aborted and reported in `report.error`;
 * whatever fails for one run is listed and the others go on. Running it again sends only what is missing.
 */
export async function copy(reader: Reader, writer: Writer, options: CopyOptions): Promise<CopyResult> {
  const { ledger, signal } = options;
  const started = performance.now();
  const pass = startPass(reader, writer, options);
  let stopped: MlferryError | undefined;
  try {
    if (options.into !== undefined && writer.traits.keepsIds) {
      throw new MlferryError(
        'USAGE',
        '--into cannot be used with an archive or stream: use it when you restore',
      );
    }
    if (options.shard !== undefined && writer.traits.keepsIds)
      throw new MlferryError('USAGE', '--shard goes to a server or a database: a file has one writer');
    await copyRuns(pass);
    if (pass.counts.runs.read === 0 && options.shard === undefined)
      await noteUnknownWords(reader, options.selection, ledger);
    if (options.shard === undefined) await copyObjects(pass);
    await secondPass(pass);
    await options.journal?.step('finish');
    // A file of nothing, from a source that could not be read, would look like a backup.
    if (isNothing(pass)) await writer.abort();
    else await writer.finish(ledger.listLeftBehind());
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
    ...pass.counts,
    ...(pass.objects.size === 0 ? {} : { objects: Object.fromEntries(pass.objects) }),
    loss_counts: Object.fromEntries(ledger.lossCounts),
    ...(ledger.artifactWays.length === 0 ? {} : { artifact_ways: ledger.artifactWays }),
    losses: ledger.losses,
    failures: ledger.failures,
    unlisted: ledger.unlisted(),
    ...(stopped === undefined
      ? {}
      : { error: { code: stopped.code, message: stopped.message, hint: stopped.hint } }),
    seconds: (performance.now() - started) / 1000,
    exit_status: exitStatus(stopped, ledger.failureCount() + ledger.leftBehind()),
  };
  return { report, ids: pass.ids };
}

function isNothing({ counts, objects, options }: Pass): boolean {
  return counts.experiments.read + objects.size === 0 && options.ledger.failureCount() > 0;
}

async function copyRuns(pass: Pass): Promise<void> {
  const { writer } = pass;
  const { concurrency } = pass.options;
  const runIds = knownRuns(pass);
  /** A dataset source that names a run not copied yet cannot be mended later: such runs go last. */
  const postponed: Work[] = [];
  await mapConcurrent(staleRuns(pass), concurrency, async (work) => {
    const waits =
      !writer.traits.keepsIds && runReferences(work.source.run).inputs.some((id) => !runIds.has(id));
    if (waits) postponed.push(work);
    else await copyRun(pass, work, runIds);
  });
  const wanted = postponed.flatMap(({ source }) => runReferences(source.run).inputs);
  const known = await withOthers(runIds, wanted, writer);
  const named = ({ source }: Work) => runReferences(source.run).inputs;
  const late =
    pass.options.shard === undefined ? postponed : postponed.filter((work) => named(work).every(known.has));
  pass.counts.runs.read -= postponed.length - late.length;
  await mapConcurrent(late, concurrency, (work) => copyRun(pass, work, known));
}

/** The runs that may be referred to: those that are copied by now, and those that the target has by themselves. */
function knownRuns({ ids, options }: Pass): RunIds {
  const runIds = ids.of('run');
  const held = new Set(options.held);
  return {
    has: (id) => runIds.has(id) || held.has(id),
    get: (id) => runIds.get(id) ?? (held.has(id) ? id : undefined),
  };
}

/** The second pass: references to runs that were copied later, then what is deleted at the source. */
async function secondPass(pass: Pass): Promise<void> {
  const { writer, open, ids, failed, deletedRuns, deletedExperiments } = pass;
  if (writer.traits.keepsIds) return;
  await pass.options.journal?.step('second_pass');
  if (pass.options.shard !== undefined) {
    // Of what a run names only its parent can be mended without looking at the run again: the last pass does all else.
    const own = open.filter(
      ({ tags, links }) => isOfParent(tags) && (links === undefined || !hasLinks(links)),
    );
    const { runs } = await secondPassOf(own, knownRuns(pass), ids.of(MODEL), writer, failed);
    return writer.secondPass({ runs, deleted_runs: [], deleted_experiments: [] });
  }
  const { runs, losses } = await secondPassOf(open, knownRuns(pass), ids.of(MODEL), writer, failed);
  for (const loss of losses) pass.options.ledger.loss(loss);
  await writer.secondPass({ runs, deleted_runs: deletedRuns, deleted_experiments: [...deletedExperiments] });
}

const isOfParent = (tags: ReadonlyMap<string, string>) => [...tags.keys()].every((key) => key === PARENT_TAG);
