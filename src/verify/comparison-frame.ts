import type { Ledger } from '../job/ledger.ts';
import type { RenameRule } from '../job/rename.ts';
import type { Selection } from '../model/selection.ts';
import type { Bandwidth } from '../util/bandwidth.ts';
import type { ComparedParts } from './compare-run.ts';
import type { Difference } from './difference.ts';
import type { ProgressCounter } from './progress-counter.ts';
import type { Verdictbook } from './report.ts';

/** How two places are compared. */
export interface ComparisonFrame {
  readonly selection: Selection;
  readonly rename: readonly RenameRule[];
  readonly into: string | undefined;
  /** Runs that the target has under the ids of the source. */
  readonly held: readonly string[];
  /** Copies of runs that the source has deleted differ, and deleted copies of those that it does not have do not. */
  readonly mirror: boolean;
  readonly parts: ComparedParts;
  readonly bandwidth: Bandwidth | undefined;
  readonly concurrency: number;
  readonly signal: AbortSignal;
  readonly book: Verdictbook;
  /** Expected losses. */
  readonly expected: Ledger;
  /** Ids of runs whose record could not be read, on the one side and the other. */
  readonly unreadable: { readonly source: ReadonlySet<string>; readonly target: ReadonlySet<string> };
  isHidden(target_run_id: string, path: string): boolean;
  /** Whether the copy itself reported this difference as a loss. */
  isReported(difference: Difference, owner: { experiment_name: string; run_id?: string }): boolean;
  readonly progress: ProgressCounter;
}
