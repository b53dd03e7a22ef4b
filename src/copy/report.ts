import type { JobProgress } from '../job/journal.ts';
import type { ArtifactWay, Failure, Loss, LossCode } from '../model/findings.ts';
import type { PlaceInfo } from '../places/place.ts';
import type { ErrorCode } from '../util/errors.ts';

/** What became of the objects of a kind. `not_held`: the target cannot hold this kind; `left_out`: as it was asked for. */
export interface ObjectCounts {
  read: number;
  created: number;
  updated: number;
  unchanged: number;
  left: number;
  failed: number;
  not_held: number;
  left_out: number;
}

/** The result of a copy: what `--json` prints. Sizes are bytes, `seconds` wall time. */
export interface Report {
  readonly from: PlaceInfo;
  readonly to: PlaceInfo;
  readonly dry_run: boolean;
  readonly experiments: { read: number; created: number };
  /** `left`: copies that were deleted on the target and stay so. `left_out`: deleted runs that the view did not select. */
  readonly runs: Omit<ObjectCounts, 'not_held'>;
  /** The further kinds that the source has, by the key of the kind. */
  readonly objects?: Readonly<Record<string, ObjectCounts>>;
  /** Sent to the target (in a dry run: to be sent). */
  readonly sent: { points: number; artifacts: number; artifact_bytes: number };
  /** How many values, points or files were lost, per code. */
  readonly loss_counts: Partial<Record<LossCode, number>>;
  /** How files that are in object stores go, as far as any was looked for. */
  readonly artifact_ways?: ArtifactWay[];
  readonly losses: Loss[];
  readonly failures: Failure[];
  /** How many losses and failures are counted but not listed. */
  readonly unlisted: number;
  /** Why the job stopped before its end, if it did. */
  readonly error?: { code: ErrorCode; message: string; hint: string };
  /** The job in the state directory, where there is one. */
  readonly job?: JobProgress;
  readonly seconds: number;
  readonly exit_status: number;
}
