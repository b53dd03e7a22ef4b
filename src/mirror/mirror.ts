import type { CopyResult } from '../copy/copy.ts';
import { copyBetween } from '../copy/copy-between.ts';
import { placeName } from '../job/job-identity.ts';
import type { JobOptions } from '../job/job-options.ts';
import type { ManageOptions, ManageReport } from '../manage/manage-job.ts';
import { mustBeManageable, selectionAt } from '../places/open.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import { redact } from '../util/redact.ts';
import { deleteGone } from './delete-gone.ts';
import { isWholeSelection } from './whole-selection.ts';

/** Options of {@link mirror}: those of a copy, and of the deletion that follows it. */
export interface MirrorOptions extends JobOptions, Pick<ManageOptions, 'undoFile' | 'confirm'> {
  readonly onDeleted?: ManageOptions['onProgress'];
}

/** What a mirroring copy leaves; `mirror` is absent where the copy stopped before its end, and in a dry run on a new target. */
export interface MirrorResult extends CopyResult {
  readonly mirror?: ManageReport;
}

/**
 * Copies, and then deletes softly what is on the target as a copy of this source and what the source no longer has. Only whole
 * experiments are mirrored. Throws USAGE for a selection that chooses runs or objects, LOCATION for a target that is no server or
 * directory, both before anything is read.
 */
export async function mirror(from: string, to: string, options: MirrorOptions = {}): Promise<MirrorResult> {
  const { undoFile, confirm, onDeleted, ...job } = options;
  if (placeName(from) === undefined)
    throw new MlferryError('USAGE', '--mirror cannot read a pipe again: write to a file and import that');
  mustBeManageable(to);
  if (!isWholeSelection(selectionAt(from, options.selection)))
    throw new MlferryError('USAGE', '--mirror is about whole experiments, active or of any stage', {
      hint: 'Choose with --experiment, --exclude-experiment and --experiment-filter; without --run, --filter, --max-runs and the like.',
    });
  const result = await copyBetween(from, to, job);
  const { report, ids } = result;
  if (report.error !== undefined) return result;
  // A target that is to be made has nothing yet.
  if (report.dry_run && report.experiments.created === report.experiments.read) return result;
  try {
    const { fingerprint } = report.from;
    const deletion = { ...job, undoFile, confirm, onProgress: onDeleted };
    return {
      ...result,
      mirror: await deleteGone(from, to, { fingerprint, ids, failures: report.failures, ...deletion }),
    };
  } catch (error) {
    const { code, message, hint, meaning } = asMlferryError(error);
    const stopped = { error: { code, message: redact(message), hint }, exit_status: meaning.exit };
    return { ...result, report: { ...report, ...stopped } };
  }
}
