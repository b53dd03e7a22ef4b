import type { Findings, Loss } from '../model/findings.ts';
import type { Manager } from '../places/manager.ts';

/** What carrying out needs besides the plan. */
export interface CarryOut {
  readonly manager: Manager;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly findings: Findings;
  /** Told after each object. */
  readonly progress: (done: number) => void;
}

/** How many objects were changed (as the place itself says afterwards) and how many could not be. */
export interface Outcome {
  changed: number;
  failed: number;
  /** What copies that took the place of runs have other than those. */
  readonly losses: Loss[];
}
