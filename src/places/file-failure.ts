import { z } from 'zod';
import type { Failure, FoundObject } from '../model/findings.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError, type ErrorCode, type MlferryError } from '../util/errors.ts';

/** The failure of one file of a run or model, whose others arrived. `words`: whose it is, for people. */
export function fileFailure(
  path: string,
  { code, message, hint }: MlferryError,
  { words, ...owner }: { readonly words: string; readonly run_id?: string; readonly of?: FoundObject },
): Failure {
  return { code, object: `artifact ${JSON.stringify(path)} of ${words}`, ...owner, message, hint };
}

/** The answer of a server or store behind an error. */
const forbidden = z.object({ status: z.literal(403) });

/** An error that costs one file: any that ends no job, and a 403, which stores give for single files. Throws any other. */
export function errorOfFile(error: unknown, fallback?: ErrorCode): MlferryError {
  const known = asMlferryError(error, fallback);
  const denied = known.code === 'DENIED' && forbidden.safeParse(known.cause).success;
  if (endsJob(known) && !denied) throw known;
  return known;
}
