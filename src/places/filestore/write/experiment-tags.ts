import { join } from 'node:path';
import type { RunLoss } from '../../../model/fit-run.ts';
import { createKeySpace } from '../layout/key-paths.ts';

/**
 * Decides which tags the directory of an experiment or registered model can hold beside those that are there; asked in code-unit order of the
 * keys. The answer is the loss of a tag that it cannot.
 */
export function createTagCheck(
  directory: string,
  present: Iterable<string>,
): (key: string, value: string) => RunLoss | undefined {
  const problemOf = createKeySpace(join(directory, 'tags'), present);
  return (key, value) => {
    if (!value.isWellFormed())
      return leftOut('VALUE_NOT_ALLOWED', key, 'it holds half a character, which no file can');
    const problem = problemOf(key);
    return problem === undefined
      ? undefined
      : leftOut('KEY_NOT_ALLOWED', key, `a store cannot hold this key: ${problem}`);
  };
}

/** The loss of such a tag: nothing else keeps its value. */
export function leftOut(code: RunLoss['code'], key: string, reason: string): RunLoss {
  return {
    code,
    left_behind: code !== 'VALUE_CONFLICT',
    key,
    detail: `the tag is left out: ${reason}`,
  };
}
