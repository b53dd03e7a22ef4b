import { Readable } from 'node:stream';
import {
  COPY_TAG,
  DIGEST_TAG,
  FILES_TAG,
  GONE_DIGEST,
  ORIGIN_PARENT_TAG,
  ORIGIN_TAG,
} from '../../../model/canonical.ts';
import { newFileListText } from '../../../model/file-list.ts';
import { fitRun, type Oversize, type RunLoss } from '../../../model/fit-run.ts';
import { metricsLine } from '../../../model/metrics-line.ts';
import { PARENT_TAG } from '../../../model/mlflow/tags.ts';
import { OVERSIZE_FILE, REFUSED_METRICS_FILE } from '../../../model/own-files.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';
import { createByteSpool } from '../../../util/byte-spool.ts';
import type { MlferryError } from '../../../util/errors.ts';
import type { RunReader, RunTarget, WrittenRun } from '../../place.ts';
import { copyMark } from '../../writing/copy-mark.ts';
import { comparablePoint, newTally, type PointTally, siftPoints } from '../../writing/sift-points.ts';
import { toldFiles } from '../../writing/told-files.ts';
import { countPoints, removeTags, setTags, updateLatest, writeRunRow } from './change-run.ts';
import { pointBatches } from './point-batches.ts';
import { oversizeBody, type RunFilesJob, writeOwnFile, writeRunFiles } from './run-files.ts';
import { METRICS, textsOf } from './run-rows.ts';
import type { Target } from './target.ts';
import { differs, planInputs, writeInputs } from './write-inputs.ts';

/** A run on its way into a database. */
export interface RunJob {
  readonly target: Target;
  readonly source: RunReader;
  /** What the engine knows of it, and the id that it gets. */
  readonly copy: RunTarget;
  readonly run_id: string;
  readonly artifact_uri: string;
  /** The copy that is there. */
  readonly present: Run | undefined;
  /** It is the source's run itself, which somebody else brought: it is only completed, and marked as the copy that it is. */
  readonly isForeign: boolean;
  note(loss: RunLoss): void;
  fail(path: string, error: MlferryError): void;
}

/**
 * Writes a run, or completes the copy that is there: files first, then rows in transactions of bounded size, the digest with the
 * last of them. A run whose points fit one transaction appears whole.
 */
export async function writeRun(job: RunJob): Promise<WrittenRun> {
  const { target, source, copy, run_id, artifact_uri, present, isForeign, note } = job;
  const { database, transactions, limits, dryRun } = target;
  const wanted: Run = {
    ...copy.remap({ run_id, artifact_uri }),
    run_id,
    experiment_id: copy.experiment.experiment_id,
    artifact_uri,
  };
  const fitted = fitRun(wanted, limits, present?.tags);
  const run = present === undefined ? fitted.run : keepStage(fitted.run, present);
  const inputs = await planInputs(target, run, present);
  for (const loss of [...fitted.losses, ...inputs.differing.map(differs)]) note(loss);

  const directory = await target.roots.directoryOf({ id: run_id, artifact_uri });
  const filesJob: RunFilesJob = { target, source, artifact_uri, directory, note, fail: job.fail };
  const told = await toldFiles(source);
  const files = await writeRunFiles(filesJob);
  let { artifacts, bytes } = files;
  const addOwn = async (name: string, body: Parameters<typeof writeOwnFile>[3]) => {
    const own = await writeOwnFile(filesJob, name, files.taken, body);
    artifacts += own.artifacts;
    bytes += own.bytes;
  };
  const oversize = withInputs(fitted.oversize, inputs.differing);
  if (oversize !== undefined) await addOwn(OVERSIZE_FILE, oversizeBody(oversize));

  const account = files.isWhole
    ? newFileListText({
        told,
        found: files.list,
        recorded: !target.sourceTraits.ownFingerprint,
        isMissing: files.isMissing,
        text: ownValue(present?.tags ?? {}, FILES_TAG),
      })
    : undefined;
  const digest = files.isWhole ? copy.digest : undefined;
  const origin = { [ORIGIN_TAG]: copy.origin };
  const has = (tag: string) => ownValue(present?.tags ?? {}, tag) !== undefined;
  const isAdopted = isForeign || (has(DIGEST_TAG) && !has(COPY_TAG));
  const marks: StringMap = {
    // What mlferry did not make, no mirror takes away: it has no mark of how it was written.
    ...(isAdopted ? origin : copyMark(run, present, limits)),
    ...(digest === undefined ? {} : { [DIGEST_TAG]: digest }),
  };
  const tags = { ...run.tags, ...origin };
  const { params, conflicts } = newParams(run.params, present?.params ?? {});
  for (const loss of conflicts) note(loss);

  const refused = createByteSpool(target.tempDir);
  const tally = newTally();
  let points = 0;
  let changes = 0;
  let begun = false;
  try {
    const sifted = siftPoints(
      source.metrics(),
      {
        limits,
        merges: true,
        negativeTimestamps: true,
        present: async (key) => (isKnown(key, source.run, present) ? 'everything' : 'nothing'),
        spill: (piece) =>
          refused.append(metricsLine({ kind: 'metrics', run_id: source.run.run_id, ...piece })),
      },
      tally,
    );
    /** All of a run but its points and what says that it is complete. */
    const begin = async (isLast: boolean) => {
      changes += await writeRunRow(target, run, present);
      changes += await database.insert(
        textsOf('params'),
        Object.entries(params).map(([key, value]) => [key, value, run_id]),
      );
      changes += await setTags(target, run_id, staleTags(tags, present?.tags ?? {}));
      const dropped = [
        ...(ownValue(run.tags, PARENT_TAG) === undefined ? [] : [ORIGIN_PARENT_TAG]),
        // Only what is whole has a digest.
        ...(isLast ? [] : [DIGEST_TAG]),
      ].filter((key) => ownValue(present?.tags ?? {}, key) !== undefined);
      changes += await removeTags(target, run_id, dropped);
      await writeInputs(target, run, inputs, note);
      changes += inputs.added.length;
    };
    for await (const { rows, isLast } of pointBatches(run_id, sifted)) {
      target.signal.throwIfAborted();
      if (isLast && refused.length() > 0)
        await addOwn(REFUSED_METRICS_FILE, {
          size: refused.length(),
          open: () => Readable.from(refused.read(0, refused.length())),
        });
      if (dryRun) {
        points += rows.length;
        continue;
      }
      const inserted = await transactions.run(rows.length + 20, async () => {
        if (!begun && !isForeign) await begin(isLast);
        const count = await database.insert(METRICS, rows);
        if (!isLast) return count;
        await updateLatest(target, run_id, tally.latest, present === undefined && !begun);
        const marked = await setTags(target, run_id, staleTags(marks, present?.tags ?? {}));
        if (!isForeign) changes += marked;
        // A new account of the same files is no change of a run.
        if (account !== undefined)
          await setTags(target, run_id, staleTags({ [FILES_TAG]: account }, present?.tags ?? {}));
        return count;
      });
      points += inserted;
      begun = true;
    }
  } finally {
    await refused.remove();
  }
  if (dryRun && present !== undefined)
    points = Math.max(0, points - (await countPoints(target, run_id, [...tally.latest.keys()])));
  for (const loss of pointLosses(tally)) note(loss);
  const outcome =
    present === undefined ? 'created' : changes + points + artifacts > 0 ? 'updated' : 'unchanged';
  return {
    run_id,
    outcome,
    points,
    artifacts,
    bytes,
    ...(files.isWhole ? {} : { incomplete: true }),
  };
}

/** A copy that somebody deleted stays deleted. */
function keepStage(run: Run, present: Run): Run {
  const isGone = ownValue(present.tags, DIGEST_TAG) === GONE_DIGEST;
  if (run.lifecycle_stage === 'deleted' || present.lifecycle_stage === 'active' || isGone) return run;
  const { deleted_time: _, ...rest } = run;
  const { lifecycle_stage, deleted_time } = present;
  return { ...rest, lifecycle_stage, ...(deleted_time === undefined ? {} : { deleted_time }) };
}

/** What has to be set so that the run has these tags. */
function staleTags(wanted: StringMap, present: StringMap): StringMap {
  const stale = Object.entries(wanted).filter(
    ([key, value]) =>
      ownValue(present, key) !== value &&
      // The second pass knows better: the parent was found in an earlier pass.
      !(key === ORIGIN_PARENT_TAG && ownValue(present, PARENT_TAG) !== undefined),
  );
  return Object.fromEntries(stale);
}

/** Params that the copy lacks: they never change in MLflow. */
function newParams(wanted: StringMap, present: StringMap): { params: StringMap; conflicts: RunLoss[] } {
  const entries = Object.entries(wanted);
  const detail = 'the param has another value on the target, which was kept: params do not change';
  return {
    params: Object.fromEntries(entries.filter(([key]) => ownValue(present, key) === undefined)),
    conflicts: entries
      .filter(([key, value]) => (ownValue(present, key) ?? value) !== value)
      .map(([key]) => ({ code: 'VALUE_CONFLICT', key, detail })),
  };
}

/** Whether a complete copy has all of a key: its latest point is the source's. */
function isKnown(key: string, source: Run, present: Run | undefined): boolean {
  if (present === undefined || ownValue(present.tags, DIGEST_TAG) === undefined) return false;
  const [latest, there] = [ownValue(source.latest_metrics, key), ownValue(present.latest_metrics, key)];
  if (latest === undefined || there === undefined) return false;
  return JSON.stringify(comparablePoint(latest)) === JSON.stringify(comparablePoint(there));
}

/** What a run lost to the columns, with inputs that the target has otherwise. */
function withInputs(
  oversize: Oversize | undefined,
  differing: Oversize['dataset_inputs'],
): Oversize | undefined {
  if (differing.length === 0) return oversize;
  const { params = {}, tags = {}, dataset_inputs = [], ...rest } = oversize ?? {};
  return { ...rest, params, tags, dataset_inputs: [...dataset_inputs, ...differing] };
}

/** What the store could not keep of a run's points. */
function pointLosses(tally: PointTally): RunLoss[] {
  const { duplicates, infinities, negativeZeros, refusedKeys } = tally;
  const losses: RunLoss[] = [];
  const counted = (code: RunLoss['code'], count: number, detail: string) => {
    if (count > 0) losses.push({ code, count, detail });
  };
  const twice = 'points exactly equal to another one: the target keeps one of each';
  const clamped = 'the target stores ±Infinity as the largest double, ±1.7976931348623157e308';
  counted('DUPLICATE_POINTS', duplicates, twice);
  counted('INFINITY_CLAMPED', infinities, clamped);
  counted('NEGATIVE_ZERO', negativeZeros, 'the target stores -0 as 0');
  const detail = `the target takes no metric of this key; its points are in ${REFUSED_METRICS_FILE}`;
  for (const [key, count] of refusedKeys) losses.push({ code: 'KEY_NOT_ALLOWED', key, count, detail });
  return losses;
}
