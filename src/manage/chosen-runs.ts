import { compareInt64 } from '../model/int64.ts';
import type { Experiment } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { Reader, RunReader } from '../places/place.ts';

/** Conditions on the times of runs, in ms since the epoch, both inclusive. */
export interface Times {
  /** Runs that started at or before it: the time of creation as MLflow tells it. */
  readonly createdBefore?: number | undefined;
  /** Runs that were deleted at or after it. */
  readonly deletedAfter?: number | undefined;
}

/** A run that was chosen, with its experiment. */
export interface ChosenRun {
  readonly experiment: Experiment;
  readonly source: RunReader;
}

/**
 * The one list of runs that all commands choose from: those of the selection that fit the times. `unknownTime` hears of
 * each run that is left out because the place does not know its time.
 */
export async function* chosenRuns(
  reader: Reader,
  selection: Selection,
  times: Times = {},
  unknownTime: () => void = () => undefined,
): AsyncGenerator<ChosenRun> {
  const { createdBefore, deletedAfter } = times;
  const fits = ({ run }: RunReader): boolean => {
    const unknown =
      (createdBefore !== undefined && run.start_time === null) ||
      (deletedAfter !== undefined && run.deleted_time === undefined);
    if (unknown) unknownTime();
    if (unknown) return false;
    return (
      (createdBefore === undefined || compareInt64(run.start_time ?? 0, createdBefore) <= 0) &&
      (deletedAfter === undefined || compareInt64(run.deleted_time ?? 0, deletedAfter) >= 0)
    );
  };
  for await (const experiment of reader.experiments(selection)) {
    for await (const source of reader.runs(experiment, selection)) {
      if (fits(source)) yield { experiment, source };
    }
  }
}
