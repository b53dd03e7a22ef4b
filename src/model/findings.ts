import type { ErrorCode } from '../util/errors.ts';

/** What a loss is about; docs/compatibility.md explains each. */
export type LossCode =
  | 'PARAM_TOO_LONG'
  | 'TAG_TOO_LONG'
  | 'EXPERIMENT_TAG_TOO_LONG'
  | 'KEY_NOT_ALLOWED'
  | 'NAME_TOO_LONG'
  | 'VALUE_NOT_ALLOWED'
  | 'INFINITY_CLAMPED'
  | 'DUPLICATE_POINTS'
  | 'TIMESTAMP_NOT_ALLOWED'
  | 'DATASET_TOO_LONG'
  | 'DATASET_DIFFERS'
  | 'ARTIFACT_NAME'
  | 'ARTIFACT_MISSING'
  | 'ARTIFACTS_NOT_CARRIED'
  | 'ARTIFACTS_UNREACHABLE'
  | 'METRICS_NOT_CARRIED'
  | 'END_TIME_KEPT'
  | 'START_TIME_UNSET'
  | 'DELETED_TIME'
  | 'PARENT_NOT_COPIED'
  | 'RUN_ID_TAKEN'
  | 'MODEL_LINKS'
  | 'LOGGED_MODELS'
  | 'TRACES'
  | 'VALUE_CONFLICT'
  | 'LEFT_DELETED'
  | 'REFERENCE_KEPT'
  | 'TWIN_DELETED'
  | 'NOT_VOUCHED'
  | 'FILTERED_HERE'
  | 'NEGATIVE_ZERO'
  | 'KIND_NOT_HELD'
  | 'REFERENCE_MISSING'
  | 'MODEL_TIMES'
  | 'MODEL_STATUS';

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

/** Where readers and writers put what they find on the way. */
export interface Findings {
  loss(loss: Loss): void;
  failure(failure: Failure): void;
  /** Grows with every loss of this object, and with every failure: whether reading it brought anything to report. */
  noted?(id: string): number;
}
