import type { RunLoss } from '../model/fit-run.ts';
import type { Run } from '../model/records.ts';
import type { StringMap } from '../model/string-map.ts';

/** An experiment's tags reduced to what a place takes. */
export interface FittedTags {
  readonly tags: StringMap;
  readonly losses: readonly RunLoss[];
}

/** A run as a place holds it. */
export interface RepresentedRun {
  readonly run: Run;
  readonly losses: readonly RunLoss[];
  /** Something of it went to the run's artifact `mlferry/oversize.json`. */
  readonly spills: boolean;
}

/** How a place keeps points. */
export interface PointRules {
  /** Points that are exactly equal are one (SQL stores). */
  readonly merges: boolean;
  /** ±Infinity and -0 stay as they are; else see `comparable` in src/model/point-set.ts. */
  readonly exact: boolean;
  /** Takes points before 1970. */
  readonly negativeTimestamps: boolean;
  /** Why the place takes no points of this key; keys are asked for in code-unit order. */
  problemOf(key: string): string | undefined;
}

/** Where a file of the source has to be on the place; without a path it cannot be there. */
export type Placement =
  | { readonly path: string; readonly loss?: RunLoss }
  | { readonly path?: undefined; readonly loss: RunLoss };

/**
 * The rules by which the writer of a place that is not a file fits what it is given: what a copy there must look like,
 * and what it has to lose. The same functions decide when a run is written and when it is verified. `present` is what
 * the place holds now, where that decides.
 */
export interface Representation {
  experimentTags(tags: StringMap, present: StringMap): FittedTags;
  /**
   * A run, already in the place's ids, as the place holds it: one form, or several that are equally right because the
   * place does not tell which of its limits applied.
   */
  run(wanted: Run, present: Run): readonly [RepresentedRun, ...RepresentedRun[]];
  points(present: Run): PointRules;
  artifacts(present: Run): Promise<(path: string, size?: number) => Placement>;
  /** Whether the place keeps the `creation_time` of an experiment that it gave the source's id. */
  readonly keepsCreationTime: boolean;
  /** Refused points go to `mlferry/oversize.json` (a directory) or to `mlferry/metrics.ndjson` (a server). */
  readonly refusedPoints: 'oversize' | 'metrics';
}
