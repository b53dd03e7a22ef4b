import type { Selection } from '../model/selection.ts';
import type { ComparedParts } from './compare-run.ts';
import type { ProgressCounter } from './progress-counter.ts';
import type { Verdictbook } from './report.ts';

/** How one place is checked. */
export interface CheckFrame {
  readonly selection: Selection;
  readonly parts: ComparedParts;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly book: Verdictbook;
  readonly progress: ProgressCounter;
  /** Ids of the runs that were checked. */
  readonly runs: Set<string>;
}
