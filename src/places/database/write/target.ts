import type { Findings } from '../../../model/findings.ts';
import type { TargetLimits } from '../../../model/mlflow/limits.ts';
import type { PlaceTraits } from '../../traits.ts';
import type { ChangeableDatabase, WritableDatabase } from '../connect/database.ts';
import type { Store } from '../read/store.ts';
import type { ArtifactRoots } from './artifact-roots.ts';
import type { Transactions } from './transactions.ts';

/** What all that is written to a database shares. */
export interface Target extends Store {
  readonly database: WritableDatabase;
  readonly transactions: Transactions;
  readonly limits: TargetLimits;
  readonly roots: ArtifactRoots;
  readonly findings: Findings;
  readonly sourceTraits: PlaceTraits;
  readonly tempDir: string;
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

/** What experiments are made with. */
export interface ExperimentTarget
  extends Pick<Target, 'transactions' | 'limits' | 'roots' | 'findings' | 'tables' | 'workspace' | 'dryRun'> {
  readonly database: ChangeableDatabase;
}
