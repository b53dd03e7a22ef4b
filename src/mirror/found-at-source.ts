import type { Ledger } from '../job/ledger.ts';
import type { Run } from '../model/records.ts';
import { ALL_ACTIVE } from '../model/selection.ts';
import type { Reader } from '../places/place.ts';
import { MlferryError } from '../util/errors.ts';
import { isWholeSelection } from './whole-selection.ts';

/** Runs that are asked for together. */
const CHUNK = 100;

/** Those of these runs that the source has, in whatever experiment and stage; a run of a deleted experiment counts as deleted. */
export async function foundAtSource(
  source: Reader,
  run_ids: readonly string[],
): Promise<ReadonlyMap<string, Pick<Run, 'lifecycle_stage' | 'deleted_time'>>> {
  const found = new Map<string, Pick<Run, 'lifecycle_stage' | 'deleted_time'>>();
  for (let at = 0; at < run_ids.length; at += CHUNK) {
    const selection = { ...ALL_ACTIVE, runs: run_ids.slice(at, at + CHUNK), view: 'all' as const };
    for await (const experiment of source.experiments(selection)) {
      for await (const { run } of source.runs(experiment, selection)) {
        const stages = [experiment.lifecycle_stage, run.lifecycle_stage];
        const lifecycle_stage = stages.includes('deleted') ? 'deleted' : 'active';
        const time = run.deleted_time === undefined ? {} : { deleted_time: run.deleted_time };
        found.set(run.run_id, { lifecycle_stage, ...time });
      }
    }
  }
  return found;
}

/**
 * Throws REFUSED where a run may be missing for another reason than that the source no longer has it: something could not be read,
 * now or when a file was made, or a file holds a choice of runs. That one is not there is no failure.
 */
export function mustBeReadWhole(
  source: Reader,
  { failures, losses }: Pick<Ledger, 'failures' | 'losses'>,
): void {
  const refuse = (what: string) => {
    throw new MlferryError('REFUSED', `Nothing is deleted, because ${what}`, {
      hint: 'What is missing there may still be at the source: mirror from a source that can be read whole.',
    });
  };
  const failed = failures.find(({ code }) => code !== 'NOT_FOUND');
  if (failed !== undefined) refuse(`the source could not be read whole: ${failed.object}: ${failed.message}`);
  const missing = losses.find(
    ({ code, of }) =>
      code === 'NOT_READ' && (of === undefined || of.kind === 'run' || of.kind === 'experiment'),
  );
  if (missing !== undefined) refuse(`its source could not be read whole then: ${missing.detail}`);
  if (source.traits.ownFingerprint) return;
  if (source.taken === undefined) refuse('such an export does not tell whether it holds all runs');
  else if (!isWholeSelection(source.taken)) refuse('it holds a choice of runs');
}
