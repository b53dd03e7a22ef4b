import { type CopyRules, type OnePlaceOptions, onePlaceOptions, withTempDir } from '../job/job-options.ts';
import { createLedger } from '../job/ledger.ts';
import type { Failure } from '../model/findings.ts';
import type { Experiment, Run } from '../model/records.ts';
import { openReader, selectionAt } from '../places/open.ts';
import type { Reader } from '../places/place.ts';
import { chosenRuns, type Times } from './chosen-runs.ts';

/** Options of {@link listRuns} and {@link listExperiments}; the place is only read. */
export interface ListOptions extends Times, OnePlaceOptions, Pick<CopyRules, 'selection'> {}

/** A run with the name of its experiment. */
export interface ListedRun extends Run {
  readonly experiment_name: string;
}

/** Hands out the chosen runs of any place, one by one. Returns what could not be read. Throws as openReader does. */
export function listRuns(
  location: string,
  options: ListOptions,
  take: (run: ListedRun) => Promise<void>,
): Promise<readonly Failure[]> {
  const selection = selectionAt(location, options.selection);
  return read(location, options, async (reader) => {
    for await (const { experiment, source } of chosenRuns(reader, selection, options))
      await take({ ...source.run, experiment_name: experiment.name });
  });
}

/** Hands out the selected experiments of any place, one by one, as {@link listRuns} does. */
export function listExperiments(
  location: string,
  options: ListOptions,
  take: (experiment: Experiment) => Promise<void>,
): Promise<readonly Failure[]> {
  const selection = selectionAt(location, options.selection);
  return read(location, options, async (reader) => {
    for await (const experiment of reader.experiments(selection)) await take(experiment);
  });
}

function read(
  location: string,
  options: ListOptions,
  task: (reader: Reader) => Promise<void>,
): Promise<readonly Failure[]> {
  const ledger = createLedger();
  return withTempDir(options.tempDir, async (tempDir) => {
    const reader = await openReader(location, onePlaceOptions(options, tempDir, ledger));
    try {
      await task(reader);
    } finally {
      await reader.close();
    }
    return ledger.failures;
  });
}
