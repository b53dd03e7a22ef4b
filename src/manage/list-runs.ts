import { type CopyRules, type OnePlaceOptions, onePlaceOptions, withTempDir } from '../job/job-options.ts';
import { createLedger, type Ledger } from '../job/ledger.ts';
import { noteUnknownWords } from '../job/unknown-words.ts';
import type { Failure } from '../model/findings.ts';
import type { Experiment } from '../model/records.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { Reader } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';
import { type ChosenRun, chosenRuns, type Times } from './chosen-runs.ts';
import { type ListedRun, sortedRuns } from './sorted-runs.ts';

/** Options of {@link listRuns} and {@link listExperiments}; the place is only read. */
export interface ListOptions extends Times, OnePlaceOptions, Pick<CopyRules, 'selection'> {}

/** Hands out the chosen runs of any place, one by one; with `order_by` in that order. Returns what could not be read. Throws as openReader does. */
export function listRuns(
  location: string,
  options: ListOptions,
  take: (run: ListedRun) => Promise<void>,
): Promise<readonly Failure[]> {
  const selection = selectionAt(location, options.selection);
  return readPlace(location, options, async (reader, tempDir, ledger) => {
    const runs = listed(chosenRuns(reader, selection, options));
    const { order } = searchOf(selection);
    const isSorted = (selection.order_by ?? []).length > 0;
    let count = 0;
    for await (const run of isSorted ? sortedRuns(runs, order, tempDir) : runs) {
      count += 1;
      await take(run);
    }
    if (count === 0) await noteUnknownWords(reader, selection, ledger);
  });
}

/** Chosen runs with the names of their experiments. */
export async function* listed(runs: AsyncIterable<ChosenRun>): AsyncGenerator<ListedRun> {
  for await (const { experiment, source } of runs) yield { ...source.run, experiment_name: experiment.name };
}

/** Hands out the selected experiments of any place, one by one, as {@link listRuns} does. */
export function listExperiments(
  location: string,
  options: ListOptions,
  take: (experiment: Experiment) => Promise<void>,
): Promise<readonly Failure[]> {
  const selection = selectionAt(location, options.selection);
  return readPlace(location, options, async (reader) => {
    for await (const experiment of reader.experiments(selection)) await take(experiment);
  });
}

/** Opens a place to read it only; returns what could not be read. */
export function readPlace(
  location: string,
  options: ListOptions,
  task: (reader: Reader, tempDir: string, ledger: Ledger) => Promise<void>,
): Promise<readonly Failure[]> {
  const ledger = createLedger();
  return withTempDir(options.tempDir, async (tempDir) => {
    const reader = await openReader(location, {
      ...onePlaceOptions(options, tempDir, ledger),
      eitherSide: true,
    });
    try {
      await task(reader, tempDir, ledger);
    } finally {
      await reader.close();
    }
    return ledger.failures;
  });
}
