import type { Reader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { EVERYTHING, type TargetIndex } from './target-index.ts';

/** Copies whose run the source does not have any more. Only if there are such the whole source is looked through. */
export async function listUnmatched(
  source: Reader,
  index: TargetIndex,
  { book, selection, unreadable }: Pick<ComparisonFrame, 'book' | 'selection' | 'unreadable'>,
): Promise<void> {
  const candidates = index.unmatched.filter(({ duplicate_of }) => duplicate_of === undefined);
  const ids = candidates.map(({ source_id }) => source_id);
  // Of runs chosen by id the others are not asked for.
  const all = candidates.length === 0 || selection.runs.length > 0 ? undefined : await allRunIds(source);
  const existing = new Set(
    all === undefined ? ids : [...ids.filter((id) => all.has(id)), ...unreadable.source],
  );
  book.runs.unselected += ids.filter((id) => existing.has(id)).length;
  for (const { run_id, run_name, experiment_name, source_id, duplicate_of } of index.unmatched) {
    if (duplicate_of === undefined && existing.has(source_id)) continue;
    book.add({
      kind: 'run',
      symbol: '-',
      id: run_id,
      name: run_name,
      experiment_name,
      differences: [],
      reason:
        duplicate_of === undefined
          ? `a copy of run ${source_id}, which the source does not have`
          : `a second copy of run ${source_id}, beside ${duplicate_of}`,
    });
  }
}

/** Ids of all runs of the source; `undefined` when they cannot all be read: what could not is listed already. */
async function allRunIds(source: Reader): Promise<Set<string> | undefined> {
  const ids = new Set<string>();
  try {
    for await (const experiment of source.experiments(EVERYTHING))
      for await (const { run } of source.runs(experiment, EVERYTHING)) ids.add(run.run_id);
  } catch (error) {
    if (endsJob(asMlferryError(error))) throw error;
    return undefined;
  }
  return ids;
}
