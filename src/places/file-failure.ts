import type { Failure, FoundObject } from '../model/findings.ts';
import type { MlferryError } from '../util/errors.ts';

/** The failure of one file of a run or model, whose others arrived. `words`: whose it is, for people. */
export function fileFailure(
  path: string,
  { code, message, hint }: MlferryError,
  { words, ...owner }: { readonly words: string; readonly run_id?: string; readonly of?: FoundObject },
): Failure {
  return { code, object: `artifact ${JSON.stringify(path)} of ${words}`, ...owner, message, hint };
}
