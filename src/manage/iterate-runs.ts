import { openReader } from '../job/open-place.ts';
import { selectionAt } from '../places/open.ts';
import { MlferryError } from '../util/errors.ts';
import { type ChosenRun, chosenRuns } from './chosen-runs.ts';
import type { ListOptions } from './list-runs.ts';

/**
 * The chosen runs of any place, one after another, each with its experiment, and its histories and files to be read as needed:
 * `for await (const { source } of iterateRuns('mlruns')) source.run.params`. Throws INCOMPLETE at its end when something could
 * not be read, which is in the message; otherwise as openReader does.
 */
export async function* iterateRuns(location: string, options: ListOptions = {}): AsyncGenerator<ChosenRun> {
  const selection = selectionAt(location, options.selection);
  const reader = await openReader(location, options);
  try {
    yield* chosenRuns(reader, selection, options);
    const [first] = reader.failures;
    if (first === undefined) return;
    const more = reader.failures.length > 1 ? `, and ${reader.failures.length - 1} more` : '';
    throw new MlferryError('INCOMPLETE', `${first.object}: ${first.message} (${first.code})${more}`, {
      hint: first.hint,
    });
  } finally {
    await reader.close();
  }
}
