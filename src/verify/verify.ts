import {
  type CopyRules,
  type JobOptions,
  placeOptions,
  type TwoPlaceOptions,
  withTempDir,
} from '../job/job-options.ts';
import { createLedger, type Ledger } from '../job/ledger.ts';
import { renamingReader } from '../job/rename-objects.ts';
import { partsOf } from '../kinds/parts.ts';
import type { Failure, Findings, Loss } from '../model/findings.ts';
import type { Selection } from '../model/selection.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { PlaceInfo, Reader } from '../places/place.ts';
import { untilAborted } from '../util/bandwidth.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { checkPlace } from './check-place.ts';
import { compareRuns } from './compare-places.ts';
import { createProgressCounter } from './progress-counter.ts';
import { createVerdictbook, type VerifyReport, verifyStatus } from './report.ts';
import { reportedLosses } from './reported-losses.ts';

/** Options of a verification; all have defaults. */
export interface VerifyOptions extends TwoPlaceOptions, CopyRules, Pick<JobOptions, 'onProgress'> {
  /** Fields, latest points, paths and sizes; no histories (of two places), no artifact bytes. Default false. */
  readonly quick?: boolean | undefined;
  /** List what is the same, too. Default false. */
  readonly all?: boolean | undefined;
  /** The target must have no active copy of a run that the source has deleted or no longer has. Default false. */
  readonly mirror?: boolean | undefined;
  /** Losses of the copy that has just ended: they are expected. */
  readonly reported?: readonly Loss[] | undefined;
}

/**
 * Checks one place, or compares a target with its source, in the ids of the source. Nothing is written. Throws only what
 * keeps a place from being opened; what ends the work later is in `error`.
 */
export async function verify(
  from: string,
  to: string | undefined,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const started = performance.now();
  const selection: Selection = selectionAt(from, options.selection);
  const quick = options.quick ?? false;
  const book = createVerdictbook(options.all ?? false);
  const expected = createLedger(options.acceptLoss);
  const progress = createProgressCounter(options.onProgress);
  const shared = {
    selection,
    parts: { ...partsOf(options), quick },
    book,
    progress,
  };
  return withTempDir(options.tempDir, async (tempDir) => {
    const unreadable = { source: new Set<string>(), target: new Set<string>() };
    const failureOf = (side: 'source' | 'target') => (failure: Failure) => {
      if (failure.run_id !== undefined) unreadable[side].add(failure.run_id);
      book.failure(failure, side);
    };
    const sourceFindings: Findings = { loss: expected.loss, failure: failureOf('source') };
    const sourceOptions = placeOptions(options, tempDir, sourceFindings, 'from');
    const { concurrency, signal } = sourceOptions;
    let stopped: MlferryError | undefined;
    const end = (source: PlaceInfo, target: PlaceInfo | undefined): VerifyReport => ({
      from: source,
      ...(target === undefined ? {} : { to: target }),
      quick,
      experiments: book.experiments,
      runs: book.runs,
      ...(book.objects.size === 0 ? {} : { objects: Object.fromEntries(book.objects) }),
      checked: progress.total(),
      items: book.items,
      loss_counts: Object.fromEntries(expected.lossCounts),
      losses: expected.losses,
      unlisted: book.unlisted() + expected.unlisted(),
      ...(stopped === undefined
        ? {}
        : { error: { code: stopped.code, message: stopped.message, hint: stopped.hint } }),
      seconds: (performance.now() - started) / 1000,
      exit_status: verifyStatus(stopped, book, lacks(target) ? expected.leftBehind() : 0),
    });
    const orStopped = async (work: Promise<void>) => {
      try {
        await work;
      } catch (error) {
        stopped = signal.aborted
          ? new MlferryError('INTERRUPTED', 'Interrupted', { cause: error })
          : asMlferryError(error);
      }
    };

    const source = await openReader(from, { ...sourceOptions, eitherSide: to === undefined });
    // A file lacks what it tells as lost; what another place by itself cannot give to others is no damage of it.
    const lacks = (to: PlaceInfo | undefined) => to !== undefined || source.traits.keepsIds;
    let target: Reader | undefined;
    try {
      if (to === undefined) {
        await orStopped(checkPlace(source, { ...shared, concurrency, signal, runs: new Set() }));
        return end(source.info, undefined);
      }
      const hidden = new Set<string>();
      const toldByTarget: Loss[] = [];
      const targetFindings: Findings = {
        loss(loss) {
          const { code, run_id, key } = loss;
          if (code === 'ARTIFACTS_UNREACHABLE') hidden.add(JSON.stringify([run_id, key]));
          toldByTarget.push(loss);
        },
        failure: failureOf('target'),
      };
      const targetOptions = placeOptions(options, tempDir, targetFindings, 'to');
      target = await openReader(to, { ...targetOptions, asFound: true });
      await orStopped(
        compareRuns(await renamingReader(source, options.renameModels), target, {
          ...shared,
          concurrency,
          signal,
          rename: options.rename ?? [],
          into: options.into,
          held: options.held ?? [],
          mirror: options.mirror ?? false,
          bandwidth: untilAborted(options.bandwidth, signal),
          expected,
          unreadable,
          isHidden: (run_id, path) =>
            path
              .split('/')
              .some((_, at, parts) => hidden.has(JSON.stringify([run_id, parts.slice(0, at + 1).join('/')]))),
          isReported: reportedLosses(options.reported ?? []),
        }),
      );
      if (target.traits.keepsIds) nameOthers(toldByTarget, expected);
      return end(source.info, target.info);
    } finally {
      await target?.close();
      await source.close();
    }
  });
}

/** Names what a file tells that it lacks, where its source does not tell the same. */
function nameOthers(losses: readonly Loss[], expected: Ledger): void {
  const keyOf = ({ code, run_id, of }: Loss) => JSON.stringify([code, run_id, of?.id]);
  const known = new Set(expected.losses.map(keyOf));
  for (const loss of losses) if (!known.has(keyOf(loss))) expected.loss(loss);
}
