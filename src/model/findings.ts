import type { ErrorCode } from '../util/errors.ts';

/**
 * What a loss is about; docs/compatibility.md explains each. `content`: something of the source is not on the target, so the
 * result is incomplete. `form`: it is there, but not as it was.
 */
const LOSSES = {
  PARAM_TOO_LONG: 'form',
  TAG_TOO_LONG: 'form',
  EXPERIMENT_TAG_TOO_LONG: 'content',
  KEY_NOT_ALLOWED: 'form',
  NAME_TOO_LONG: 'form',
  VALUE_NOT_ALLOWED: 'form',
  INFINITY_CLAMPED: 'form',
  DUPLICATE_POINTS: 'form',
  TIMESTAMP_NOT_ALLOWED: 'form',
  DATASET_TOO_LONG: 'form',
  DATASET_DIFFERS: 'form',
  ARTIFACT_NAME: 'form',
  ARTIFACT_MISSING: 'content',
  ARTIFACTS_NOT_CARRIED: 'content',
  ARTIFACTS_UNREACHABLE: 'content',
  ARTIFACTS_FILTERED: 'form',
  METRICS_NOT_CARRIED: 'content',
  END_TIME_KEPT: 'form',
  START_TIME_UNSET: 'form',
  DELETED_TIME: 'form',
  PARENT_NOT_COPIED: 'form',
  RUN_ID_TAKEN: 'form',
  MODEL_LINKS: 'content',
  MODEL_IN_RUN: 'form',
  LOGGED_MODELS: 'content',
  VALUE_CONFLICT: 'form',
  LEFT_DELETED: 'form',
  REFERENCE_KEPT: 'form',
  TWIN_DELETED: 'form',
  NOT_VOUCHED: 'form',
  EXPERIMENTS_MERGED: 'form',
  FOREIGN_FILES: 'form',
  RUN_MOVED: 'form',
  FILTERED_HERE: 'form',
  NEGATIVE_ZERO: 'form',
  KIND_NOT_HELD: 'content',
  MAKE_ANEW: 'content',
  INPUTS_NOT_HELD: 'content',
  NOT_DELETED: 'form',
  RUN_INCOMPLETE: 'content',
  NOT_READ: 'content',
  REFERENCE_MISSING: 'content',
  MODEL_TIMES: 'form',
  CREATION_TIMES: 'form',
  MODEL_STATUS: 'form',
  TRACE_VALUES_CUT: 'content',
  TRACE_ID_TAKEN: 'form',
  TRACE_SPANS: 'content',
  TRACE_FIELDS: 'content',
  ASSESSMENT_VALID: 'form',
  NOT_EXPORTED: 'form',
} as const satisfies Readonly<Record<string, 'content' | 'form'>>;

/** A code of a loss. */
export type LossCode = keyof typeof LOSSES;

/** Whether a text is the code of a loss. */
export function isLossCode(text: string): text is LossCode {
  return Object.hasOwn(LOSSES, text);
}

/** The codes of all losses. */
export const LOSS_CODES: readonly LossCode[] = Object.keys(LOSSES).filter(isLossCode);

/** Losses of files, or of what stands in files: where the source has them later, or the target can be written to, they can come. */
const OF_FILES: ReadonlySet<LossCode> = new Set([
  'ARTIFACT_MISSING',
  'ARTIFACTS_NOT_CARRIED',
  'ARTIFACTS_UNREACHABLE',
  'TRACE_SPANS',
]);

/** Whether an object with these losses lacks files that a later copy may bring: it does not count as complete. */
export function lacksFiles(losses: readonly Pick<Loss, 'code'>[]): boolean {
  return losses.some(({ code }) => OF_FILES.has(code));
}

/** Whether something stays behind with a loss. */
export function isContent({ code, left_behind }: Loss): boolean {
  return left_behind ?? LOSSES[code] === 'content';
}

/** An object that a finding is about. */
export interface FoundObject {
  /** Its kind, as the table of kinds names it. */
  readonly kind: string;
  readonly id: string;
  readonly name?: string;
}

/** Something a target cannot hold as it was, or a source did not give. Never silent, never an error by itself. */
export interface Loss {
  readonly code: LossCode;
  readonly experiment_name?: string;
  readonly run_id?: string;
  /** What it is about, where that is an object of a further kind. */
  readonly of?: FoundObject;
  readonly key?: string;
  /** Whether something stays behind, where the code alone does not tell. */
  readonly left_behind?: boolean;
  /** How many values, points or files; 1 unless told. */
  readonly count?: number;
  /** One sentence for people: what it was, what was done instead. */
  readonly detail: string;
}

/** An experiment, run or file that could not be copied. Any failure makes the exit status 3. */
export interface Failure {
  readonly code: ErrorCode;
  /** `run 1f0… of experiment "a"`, for people. */
  readonly object: string;
  /** The same, where the failure is one of a single object. */
  readonly of?: FoundObject;
  /** The run, where the failure is one of a run. */
  readonly run_id?: string;
  readonly message: string;
  readonly hint: string;
}

/** The way that files of an object store go. */
export interface ArtifactWay {
  readonly side: 'from' | 'to';
  /** `s3://bucket`. */
  readonly store: string;
  /** From or to this machine itself, or by way of the server, if the place is one. */
  readonly way: 'direct' | 'indirect';
  /** Why it is not direct, for people. */
  readonly reason?: string;
}

/** Where readers and writers put what they find on the way. */
export interface Findings {
  loss(loss: Loss): void;
  failure(failure: Failure): void;
  /** Told once a store and reason. */
  artifactWay?(way: ArtifactWay): void;
  /** Grows with every loss of this object, or of none, and every failure: whether reading it brought anything to report. */
  noted?(id: string): number;
}

/** Takes nothing down: what a target lacks is no finding, it is sent. */
export const QUIET: Findings = { loss: () => undefined, failure: () => undefined };
