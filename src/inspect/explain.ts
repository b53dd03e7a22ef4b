import { type JobOptions, placeOptions, withTempDir } from '../job/job-options.ts';
import { createLedger } from '../job/ledger.ts';
import type { Selection } from '../model/selection.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { Explanation } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';
import { MlferryError } from '../util/errors.ts';

/**
 * Who would work out a selection: what a server is asked and what stays here. A server is asked for one run, to see
 * whether it takes the filter; nothing is written anywhere. Throws what opening the place throws, and the first thing
 * that was selected and is not there.
 */
export async function explain(location: string, options: JobOptions = {}): Promise<Explanation> {
  const selection: Selection = selectionAt(location, options.selection);
  searchOf(selection);
  const ledger = createLedger();
  return withTempDir(options.tempDir, async (tempDir) => {
    const reader = await openReader(location, placeOptions(options, tempDir, ledger, 'from'));
    try {
      const explanation = await reader.explain?.(selection);
      const [failure] = ledger.failures;
      if (failure !== undefined)
        throw new MlferryError(failure.code, `${failure.object}: ${failure.message}`, { hint: failure.hint });
      return explanation ?? { place: reader.info, histories: [], refused: [] };
    } finally {
      await reader.close();
    }
  });
}
