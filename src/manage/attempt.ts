import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, MlferryError } from '../util/errors.ts';
import type { CarryOut, Outcome } from './outcome.ts';

/** Runs a step; what fails for this object is listed, what stops the job is thrown. Whether it succeeded. */
export async function attempt(
  { findings, signal }: CarryOut,
  outcome: Outcome,
  object: string,
  step: () => Promise<void>,
): Promise<boolean> {
  try {
    if (signal.aborted) throw new MlferryError('INTERRUPTED', 'Interrupted');
    await step();
    return true;
  } catch (error) {
    const known = asMlferryError(error);
    if (endsJob(known)) throw known;
    outcome.failed += 1;
    findings.failure({ code: known.code, object, message: known.message, hint: known.hint });
    return false;
  }
}

/** The place said yes, and reads back other than it should be. */
export function mismatch({ findings }: CarryOut, outcome: Outcome, object: string, what: string): void {
  outcome.failed += 1;
  const { message, hint } = new MlferryError('MISMATCH', `The place said yes, but ${what}`);
  findings.failure({ code: 'MISMATCH', object, message, hint });
}
