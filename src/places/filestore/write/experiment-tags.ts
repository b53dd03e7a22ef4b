import { join } from 'node:path';
import type { RunLoss } from '../../../model/fit-run.ts';
import { createKeySpace } from '../layout/key-paths.ts';

/**
 * Decides which tags an experiment's directory can hold beside those that are there; asked in code-unit order of the
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

/** The loss of an experiment's tag. */
export function leftOut(code: RunLoss['code'], key: string, reason: string): RunLoss {
  return {
    code,
    left_behind: code !== 'VALUE_CONFLICT',
    key,
    detail: `the experiment tag is left out: ${reason}`,
  };
}
