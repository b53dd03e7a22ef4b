import type { Run } from '../model/records.ts';
import type { Reader } from '../places/place.ts';
import { endsJob } from '../util/ends-job.ts';
import { asMlferryError } from '../util/errors.ts';
import type { ComparisonFrame } from './comparison-frame.ts';
import { EVERYTHING, type TargetIndex } from './target-index.ts';

/** Copies whose run the source does not have any more. Only if there are such the whole source is looked through. */
export async function listUnmatched(
  source: Reader,
  index: TargetIndex,
  {
    book,
    selection,
    unreadable,
    mirror,
  }: Pick<ComparisonFrame, 'book' | 'selection' | 'unreadable' | 'mirror'>,
): Promise<void> {
  const candidates = index.unmatched.filter(({ duplicate_of }) => duplicate_of === undefined);
  const ids = candidates.map(({ source_id }) => source_id);
  // Of runs chosen by id the others are not asked for.
  const all = candidates.length === 0 || selection.runs.length > 0 ? undefined : await allRunStages(source);
  const existing = new Set(
    all === undefined ? ids : [...ids.filter((id) => all.has(id)), ...unreadable.source],
  );
  for (const {
    run_id,
    run_name,
    lifecycle_stage,
    experiment_name,
    source_id,
    duplicate_of,
  } of index.unmatched) {
    const isExtra = mirror && lifecycle_stage === 'active' && all?.get(source_id) === 'deleted';
    if (duplicate_of === undefined && existing.has(source_id) && !isExtra) {
      book.runs.unselected += 1;
      continue;
    }
    if (duplicate_of === undefined && mirror && lifecycle_stage === 'deleted') continue;
    book.add({
      kind: 'run',
      symbol: '-',
      id: run_id,
      name: run_name,
      experiment_name,
      differences: [],
      reason:
        duplicate_of === undefined
          ? `a copy of run ${source_id}, which the source ${isExtra ? 'has deleted' : 'does not have'}`
          : `a second copy of run ${source_id}, beside ${duplicate_of}`,
    });
  }
}

/** All runs of the source, and the stage of each; `undefined` when they cannot all be read: what could not is listed already. */
async function allRunStages(source: Reader): Promise<Map<string, Run['lifecycle_stage']> | undefined> {
  const stages = new Map<string, Run['lifecycle_stage']>();
  try {
    for await (const experiment of source.experiments(EVERYTHING))
      for await (const { run } of source.runs(experiment, EVERYTHING))
        stages.set(run.run_id, run.lifecycle_stage);
  } catch (error) {
    if (endsJob(asMlferryError(error))) throw error;
    return undefined;
  }
  return stages;
}
