import type { Failure, Findings, Loss, LossCode } from '../model/findings.ts';
import { errorCodes, type MlferryError } from '../util/errors.ts';
import { plainText } from '../util/plain-text.ts';
import { redact } from '../util/redact.ts';

/** Losses and failures listed one by one; beyond it only the counts grow. */
const MOST_LISTED = 10_000;

/** Collects what readers and writers find. */
export interface Ledger extends Findings {
  readonly losses: Loss[];
  readonly failures: Failure[];
  readonly lossCounts: Map<LossCode, number>;
  unlisted(): number;
  failureCount(): number;
}

/** An empty {@link Ledger}. Messages are redacted on their way in. */
export function createLedger(): Ledger {
  const losses: Loss[] = [];
  const failures: Failure[] = [];
  const lossCounts = new Map<LossCode, number>();
  const lossesOfRuns = new Map<string, number>();
  let unlisted = 0;
  let failed = 0;
  return {
    losses,
    failures,
    lossCounts,
    unlisted: () => unlisted,
    failureCount: () => failed,
    noted: (run_id) => (lossesOfRuns.get(run_id) ?? 0) + failed,
    loss(loss) {
      const { run_id } = loss;
      if (run_id !== undefined) lossesOfRuns.set(run_id, (lossesOfRuns.get(run_id) ?? 0) + 1);
      lossCounts.set(loss.code, (lossCounts.get(loss.code) ?? 0) + (loss.count ?? 1));
      if (losses.length < MOST_LISTED) losses.push({ ...loss, detail: plainText(redact(loss.detail)) });
      else unlisted += 1;
    },
    failure(failure) {
      failed += 1;
      if (failures.length < MOST_LISTED) failures.push({ ...failure, message: redact(failure.message) });
      else unlisted += 1;
    },
  };
}

/** The failure of one object by an error. */
export function failureOf(object: string, error: MlferryError): Failure {
  return { code: error.code, object, message: error.message, hint: error.hint };
}

/** Exit status of a finished or stopped job. */
export function exitStatus(error: MlferryError | undefined, failures: number): number {
  if (error !== undefined) return error.meaning.exit;
  return failures > 0 ? errorCodes.INCOMPLETE.exit : 0;
}
