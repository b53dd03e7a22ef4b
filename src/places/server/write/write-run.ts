import { Readable } from 'node:stream';
import { DIGEST_TAG, FILES_TAG, ORIGIN_PARENT_TAG, ORIGIN_TAG } from '../../../model/canonical.ts';
import { isListed, newFileListText } from '../../../model/file-list.ts';
import { fitRun, type RunLoss } from '../../../model/fit-run.ts';
import { toJson } from '../../../model/json.ts';
import { metricsLine } from '../../../model/metrics-line.ts';
import { isKeyAllowed } from '../../../model/mlflow/limits.ts';
import { goesOn } from '../../../model/mlflow/statuses.ts';
import { PARENT_TAG } from '../../../model/mlflow/tags.ts';
import { OVERSIZE_FILE, REFUSED_METRICS_FILE } from '../../../model/own-files.ts';
import type { Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import { appendAll } from '../../../util/append-all.ts';
import { createByteSpool } from '../../../util/byte-spool.ts';
import { MlferryError } from '../../../util/errors.ts';
import { fileFailure } from '../../file-failure.ts';
import type { MetricPoints, RunReader, RunTarget, WrittenRun } from '../../place.ts';
import { copyMark, keptParams } from '../../writing/copy-mark.ts';
import { newTally } from '../../writing/sift-points.ts';
import { toldFiles } from '../../writing/told-files.ts';
import { runOwner } from '../connect/owner.ts';
import { knowsModels } from '../read/logged-models.ts';
import { createRun } from './create-run.ts';
import { runsOfOrigin } from './find-copied-runs.ts';
import { holdsFile } from './held-files.ts';
import { type KnownRun, knownRun } from './known-runs.ts';
import { logInputs, NO_INPUTS } from './log-inputs.ts';
import { keepModelHistory, runChanges } from './run-changes.ts';
import { artifactLosses, pointLosses } from './run-losses.ts';
import { type SentCounts, sendArtifacts, sendOwnFile } from './send-artifacts.ts';
import { sendData } from './send-data.ts';
import type { TargetContext } from './target-context.ts';
import type { ExperimentState } from './target-experiments.ts';
import { unlessMissing } from './target-routes.ts';

/** A run that was written, and what the target must show of it now; `undefined` when nothing was changed. */
export interface RunOutcome {
  readonly written: WrittenRun;
  /** `latest_metrics` holds what was sent. */
  readonly expected: { readonly created: boolean; readonly run: Run } | undefined;
}

/**
 * Writes a run, or completes the copy that is there. One path for both: what the target has is compared with what the
 * source has, and a run just created has nothing. A pass that breaks does no harm: `mlferry.digest`, without which a
 * run is not complete, goes with the last points, after artifacts and inputs; status and end time follow.
 */
export async function writeRun(
  context: TargetContext,
  experiment: ExperimentState,
  source: RunReader,
  target: RunTarget,
  sent: SentCounts,
): Promise<RunOutcome> {
  const { routes, findings } = context;
  const known = await knownCopy(context, experiment, source.run.run_id, target);
  const created = known === undefined;
  const present =
    known === undefined
      ? await createRun(context, experiment, source.run, target.origin)
      : await routes.getRun(known.run_id);
  const { run_id, artifact_uri } = present;
  const owner = runOwner(present);
  /** The data were copied by an earlier pass, and the source did not change since. */
  const complete = target.digest !== undefined && known?.digest === target.digest;
  const isOpen = goesOn(source.run);
  const losses: RunLoss[] = [];
  let changed = created;
  const beforeChange = async () => {
    changed = true;
    if (known === undefined || known.lifecycle_stage === 'active') return;
    await experiment.revive();
    await routes.restoreRun(run_id);
    known.lifecycle_stage = 'active';
  };

  const remapped = target.remap({ run_id, artifact_uri });
  const wanted = knowsModels(context.client) ? remapped : keepModelHistory(remapped, present);
  const fitted = fitRun(wanted, context.limits(), present.tags);
  const changes = runChanges(fitted.run, present);
  const sink = await context.sinkOf(experiment, owner);

  // Before they are sent: what comes meanwhile is looked for later.
  const told = await toldFiles(source);
  const hasFiles = isListed(told, known?.files);
  const tellsBytes = told !== 'unlisted' && told?.content !== undefined;
  const isAlike = complete && (hasFiles || !tellsBytes);
  const comparison = created ? 'nothing there' : isAlike ? 'size' : 'content';
  // Artifacts can come without a trace in the record: to a run that goes on, where its source lists them, or where some are missing.
  const artifacts =
    complete && !isOpen && hasFiles
      ? undefined
      : await sendArtifacts(context, source, { owner, sink }, comparison, sent);
  if (artifacts !== undefined) appendAll(losses, artifactLosses(artifacts));
  const failed = artifacts?.failed ?? [];
  const words = `run ${source.run.run_id} of experiment "${experiment.name}"`;
  for (const { path, error } of failed)
    findings.failure(fileFailure(path, error, { words, run_id: source.run.run_id }));
  // A run that lacks a file is not complete: it is looked at again, by a copy from where the file is, too.
  const withoutBytes = context.hashesTellBytes && artifacts !== undefined && artifacts.notCarried > 0;
  const isWhole = failed.length === 0 && !withoutBytes;
  const digest = isWhole ? target.digest : undefined;
  const files =
    artifacts === undefined || !isWhole
      ? undefined
      : newFileListText({
          told,
          found: artifacts.list,
          recorded: context.isRecorded,
          isMissing: artifacts.unreachable + artifacts.notCarried > 0,
          text: known?.files,
        });
  const filesMark = files === undefined ? {} : { [FILES_TAG]: files };
  if (sent.artifacts > 0) changed = true;
  const ownFile = async (name: string, size: number, open: () => Readable) => {
    const lose = () =>
      void losses.push({
        code: 'ARTIFACTS_UNREACHABLE',
        key: name,
        detail: `${name} cannot be written to ${artifact_uri}: what it would hold is lost`,
      });
    if (sink === undefined || sink.takes?.(size) === false) return lose();
    const path = artifacts?.ownName(name) ?? name;
    // A run that is not complete is looked at again: what it has already is not sent twice.
    if (!created && (await holdsFile(context, { owner, sink }, path, size, async () => open()))) return;
    try {
      await sendOwnFile(context, { owner, sink }, path, size, async () => open());
    } catch (error) {
      if (!(error instanceof MlferryError) || error.code !== 'UNSUPPORTED') throw error;
      lose();
    }
  };

  if (!complete) {
    losses.push(...fitted.losses, ...changes.losses);
    if (created && source.run.start_time === null) {
      losses.push({
        code: 'START_TIME_UNSET',
        key: 'start_time',
        detail: 'the run has no start time; the target shows 1970',
      });
    }
    if (fitted.oversize !== undefined) {
      const bytes = Buffer.from(toJson({ format: 'mlferry-oversize', version: 1, ...fitted.oversize }));
      await ownFile(OVERSIZE_FILE, bytes.length, () => Readable.from([bytes]));
    }
  }
  if (!created && changes.info?.run_name !== undefined) {
    // Before the digest: a broken pass must not leave a run with the old name that counts as complete.
    await beforeChange();
    await routes.updateRun(run_id, { status: present.status, run_name: changes.info.run_name });
  }
  let holdsInputs = true;
  if (changes.inputs.length > 0) {
    const hadChanged = changed;
    await beforeChange();
    holdsInputs = await logInputs(context, run_id, changes.inputs);
    if (!holdsInputs) {
      changed = hadChanged;
      losses.push({ code: 'INPUTS_NOT_HELD', count: changes.inputs.length, detail: NO_INPUTS });
    }
  }
  for (const key of staleTags(context, created, wanted, present)) {
    await beforeChange();
    await unlessMissing(routes.deleteTag(run_id, key));
  }

  const held = holdsInputs ? fitted.run : { ...fitted.run, dataset_inputs: present.dataset_inputs };
  const marks = { ...filesMark, ...(complete ? {} : copyMark(held, present, context.limits())) };
  const changedMarks = Object.fromEntries(
    Object.entries(marks).filter(([key, value]) => ownValue(present.tags, key) !== value),
  );
  /** A new account of the same files is no change of a run. */
  const onlyAccount =
    complete &&
    !changed &&
    known.lifecycle_stage === 'active' &&
    Object.keys({ ...changes.params, ...changes.tags }).length === 0;
  const tally = newTally();
  const refused = createByteSpool(context.tempDir);
  try {
    await sendData(
      context,
      {
        present,
        created,
        wasComplete: known?.digest !== undefined,
        latest: source.run.latest_metrics,
        params: changes.params,
        tags: { ...changes.tags, ...changedMarks },
        digest: complete ? undefined : digest,
        sent,
        points: complete ? nothing() : source.metrics(),
        beforeChange,
        spill: (piece) =>
          refused.append(metricsLine({ kind: 'metrics', run_id: source.run.run_id, ...piece })),
        async beforeLast() {
          if (refused.length() === 0) return;
          await ownFile(REFUSED_METRICS_FILE, refused.length(), () =>
            Readable.from(refused.read(0, refused.length())),
          );
        },
      },
      tally,
    );
  } finally {
    await refused.remove();
  }
  if (onlyAccount) changed = false;
  losses.push(...(await pointLosses(context, run_id, tally)));
  if (changes.info !== undefined) {
    await beforeChange();
    await routes.updateRun(run_id, changes.info);
  }

  for (const loss of losses)
    findings.loss({ ...loss, run_id: source.run.run_id, experiment_name: experiment.name });
  const stageDiffers =
    known !== undefined && known.lifecycle_stage !== source.run.lifecycle_stage && !experiment.sourceDeleted;
  const outcome = created ? 'created' : changed || stageDiffers ? 'updated' : 'unchanged';
  const expected =
    outcome === 'unchanged' || !routes.changes
      ? undefined
      : { created, run: expectedRun(held, present, { ...target, digest }, tally.latest) };
  const incomplete = isWhole ? {} : { incomplete: true };
  return { written: { run_id, outcome, ...sent, ...incomplete }, expected };
}

/** The copy that is there. The scan may have come before a create of an earlier process: where that is possible, another look. */
async function knownCopy(
  { routes }: TargetContext,
  experiment: ExperimentState,
  source_run_id: string,
  { origin, inDoubt }: RunTarget,
): Promise<KnownRun | undefined> {
  const all = await experiment.known();
  if (inDoubt === true) experiment.suspects.set(source_run_id, origin);
  const known = all.get(source_run_id);
  if (known !== undefined || inDoubt !== true) return known;
  const [found] = await runsOfOrigin(routes, experiment.experiment_id, origin);
  if (found === undefined) return undefined;
  const late = knownRun(found);
  all.set(source_run_id, late);
  return late;
}

async function* nothing(): AsyncGenerator<MetricPoints> {}

/** Tags to take away: a parent's source id that is known by now, and what a create had to send in the source's ids. */
function staleTags(context: TargetContext, created: boolean, wanted: Run, present: Run): string[] {
  const stale: string[] = [];
  if (Object.hasOwn(wanted.tags, PARENT_TAG) && Object.hasOwn(present.tags, ORIGIN_PARENT_TAG))
    stale.push(ORIGIN_PARENT_TAG);
  if (!created) return stale;
  const differs = (key: string) =>
    !isKeyAllowed(key, context.limits()) && ownValue(present.tags, key) !== ownValue(wanted.tags, key);
  return [...stale, ...Object.keys(present.tags).filter(differs)];
}

/** What the target must show: what could not be changed is as it was. */
function expectedRun(
  fitted: Run,
  present: Run,
  target: RunTarget,
  latest: ReadonlyMap<string, Run['latest_metrics'][string]>,
): Run {
  return {
    ...fitted,
    start_time: present.start_time,
    user_id: present.user_id,
    run_name: fitted.run_name === '' ? present.run_name : fitted.run_name,
    end_time: fitted.end_time ?? present.end_time,
    params: keptParams(fitted.params, present),
    tags: {
      ...fitted.tags,
      [ORIGIN_TAG]: ownValue(present.tags, ORIGIN_TAG) ?? target.origin,
      ...(target.digest === undefined ? {} : { [DIGEST_TAG]: target.digest }),
    },
    latest_metrics: Object.fromEntries(latest),
  };
}
