import { compareInt64 } from '../model/int64.ts';
import type { Experiment } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';

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
 * The one list of runs that all commands choose from: those of the selection that fit the times; `max_runs` counts only such.
 * `unknownTime` hears of each run that is left out because the place does not know when it was deleted. Runs without a start
 * time were created before no time.
 */
export async function* chosenRuns(
  reader: Reader,
  selection: Selection,
  { createdBefore, deletedAfter }: Times = {},
  unknownTime: () => void = () => undefined,
): AsyncGenerator<ChosenRun> {
  const timely = createdBefore === undefined ? selection : upTo(selection, createdBefore);
  if (deletedAfter === undefined) {
    yield* all(reader, timely);
    return;
  }
  const { max_runs, order_by, ...unlimited } = timely;
  const ids: string[] = [];
  for await (const chosen of all(reader, unlimited)) {
    const { deleted_time, run_id } = chosen.source.run;
    if (deleted_time === undefined) unknownTime();
    else if (compareInt64(deleted_time, deletedAfter) < 0) continue;
    else if (max_runs === undefined) yield chosen;
    else ids.push(run_id);
  }
  // No place knows an order among these: the first are chosen in a second pass.
  if (max_runs !== undefined && ids.length > 0) yield* all(reader, { ...timely, runs: ids });
}

async function* all(reader: Reader, selection: Selection): AsyncGenerator<ChosenRun> {
  for await (const experiment of reader.experiments(selection)) {
    for await (const source of reader.runs(experiment, selection)) yield { experiment, source };
  }
}

/** The condition goes into the filter, so that a server sorts the others out. Throws EXPRESSION for a wrong filter. */
function upTo(selection: Selection, time: number): Selection {
  const { filter } = selection;
  searchOf(selection);
  const condition = `attributes.start_time <= ${time}`;
  return { ...selection, filter: filter === undefined ? condition : `(${filter}) AND ${condition}` };
}
