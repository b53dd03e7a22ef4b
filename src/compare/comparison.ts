import type { Int64 } from '../model/int64.ts';
import type { MetricValue } from '../model/metric-value.ts';
import type { Run } from '../model/records.ts';
import type { StringMap } from '../model/string-map.ts';

/** A metric of a compared run. */
export interface ComparedMetric {
  /** The latest value and its step. */
  readonly last: MetricValue;
  readonly step: Int64;
  /** Of the whole history, where it was read; absent where all values are NaN. */
  readonly min?: MetricValue | undefined;
  readonly max?: MetricValue | undefined;
  /** The latest value at a step that was asked for, by step. */
  readonly at?: Readonly<Record<string, MetricValue>> | undefined;
}

/** A run beside others. */
export interface ComparedRun
  extends Pick<
    Run,
    | 'run_id'
    | 'run_name'
    | 'experiment_id'
    | 'user_id'
    | 'status'
    | 'lifecycle_stage'
    | 'start_time'
    | 'end_time'
  > {
  /** Its place among those that are compared. */
  readonly place: number;
  readonly experiment_name: string;
  /** In ms. */
  readonly duration: number | null;
  /** What it executed, its commit, and the page of that. */
  readonly source?: string | undefined;
  readonly commit?: string | undefined;
  readonly link?: string | undefined;
  readonly params: StringMap;
  readonly tags: StringMap;
  readonly metrics: Readonly<Record<string, ComparedMetric>>;
}

/** Points of a metric of a run as columns, in the order of their steps; the extremes of each stretch are among them. */
export interface ComparedHistory {
  /** Position of its run. */
  readonly run: number;
  readonly key: string;
  /** How many points the history has. */
  readonly count: number;
  readonly steps: readonly number[];
  /** ms since the epoch. */
  readonly times: readonly number[];
  readonly values: readonly MetricValue[];
}

/** What is shown of a metric: its latest value, its least or greatest one, or that at a step (`step=100`). */
export type MetricChoice = 'last' | 'min' | 'max' | `step=${string}`;

/** A metric of which one value is the best, as an order tells: ASC = the least. */
export interface BestOf {
  readonly metric: string;
  readonly direction: 'ASC' | 'DESC';
}

/** Runs side by side. */
export interface Comparison {
  /** Locations without credentials. */
  readonly places: readonly string[];
  readonly runs: readonly ComparedRun[];
  readonly values: readonly MetricChoice[];
  readonly best?: BestOf | undefined;
  /** Of the first runs, where they were asked for. */
  readonly histories: readonly ComparedHistory[];
}
