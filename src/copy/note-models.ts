import { idOf } from '../kinds/marks.ts';
import { MODEL } from '../kinds/model-links.ts';
import type { ObjectReader } from '../places/objects.ts';
import type { WrittenRun } from '../places/place.ts';
import type { Pass } from './pass.ts';

/** Notes where logged models are that went among the files of a run. `pathOf` gives the directory, of those that have files. */
export function noteModels(
  { ids, inRuns }: Pass,
  { run_id, outcome }: Pick<WrittenRun, 'run_id' | 'outcome'>,
  pathOf: (model_id: string) => string | undefined,
  models: readonly ObjectReader[],
): void {
  for (const { of, record } of models) {
    const id = idOf(of, record);
    inRuns.set(id, outcome);
    const path = pathOf(id);
    if (path !== undefined) ids.of(MODEL).set(id, `runs:/${run_id}/${path}`);
  }
}
