import type { ObjectKind } from '../kinds/kind.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import type { ComparisonFrame } from './comparison-frame.ts';

/** What keeps a whole kind from being read is listed once. */
export async function kindOrListed(
  of: ObjectKind,
  { book }: Pick<ComparisonFrame, 'book'>,
  task: () => Promise<void>,
): Promise<void> {
  try {
    await task();
  } catch (error) {
    const problem = asMlferryError(error);
    if (endsJob(problem)) throw problem;
    const reason = `${problem.message} (${problem.code})`;
    book.add({ kind: of.kind, symbol: '!', id: '', name: of.words.many, differences: [], reason });
  }
}
