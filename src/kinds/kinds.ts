import type { FoundObject } from '../model/findings.ts';
import { MlferryError } from '../util/errors.ts';
import type { ObjectKind } from './kind.ts';
import { KINDS } from './table.ts';

export { KINDS };

/**
 * The kinds besides experiments and runs. Those two have readers and writers of their own, because selections,
 * searches and points are about them; all others go one way, by the table.
 */
export const FURTHER_KINDS: readonly ObjectKind[] = KINDS.filter(
  ({ kind }) => kind !== 'experiment' && kind !== 'run',
);

/** The format version that first says what a file lacks: of its runs, and of its source. */
export const FIRST_WITH_LEFT_BEHIND = 4;

/** Version of the record lines that is written; a reader refuses a newer one. */
export const FORMAT_VERSION = Math.max(FIRST_WITH_LEFT_BEHIND, ...KINDS.map(({ since }) => since));

/** A kind by its name. Throws BUG for one that is not in the table. */
export function kindOf(name: string): ObjectKind {
  const found = KINDS.find(({ kind }) => kind === name);
  if (found === undefined) throw new MlferryError('BUG', `There is no kind ${name} in the table`);
  return found;
}

/** `run 1f0… ("a name")`, for people. */
export function describeObject({ kind, id, name }: FoundObject): string {
  return `${kindOf(kind).words.one} ${id}${name === undefined || name === id ? '' : ` ("${name}")`}`;
}
