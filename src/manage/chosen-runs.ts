import { compareInt64, type Int64 } from '../model/int64.ts';
import type { Experiment, Run } from '../model/records.ts';
import type { Selection } from '../model/selection.ts';
import type { Reader, RunReader } from '../places/place.ts';
import { searchOf } from '../search/search-of.ts';

/** Conditions on the times of runs, in ms since the epoch, both inclusive. */
export interface Times {
  /** Runs that started at or before it: the time of creation as MLflow tells it. */
  readonly createdBefore?: number | undefined;
  /** Runs that started at or after it. */
  readonly createdAfter?: number | undefined;
  /** Runs that were deleted at or after it. */
  readonly deletedAfter?: number | undefined;
}

/** A run that `deletedAfter` leaves out: it was deleted before, or the place does not know when. */
export interface LeftOutRun extends Pick<Run, 'run_id' | 'run_name'> {
  readonly deleted_time?: Int64;
}

/** A run that was chosen, with its experiment. */
export interface ChosenRun {
  readonly experiment: Experiment;
  readonly source: RunReader;
}

/**
 * The one list of runs that all commands choose from: those of the selection that fit the times; `max_runs` counts only such.
 * `leftOut` hears of each run that `deletedAfter` leaves out. Runs without a start time were created before no time and after
 * none.
 */
export async function* chosenRuns(
  reader: Reader,
  selection: Selection,
  { createdBefore, createdAfter, deletedAfter }: Times = {},
  leftOut: (run: LeftOutRun) => void = () => undefined,
): AsyncGenerator<ChosenRun> {
  const timely = within(selection, createdAfter, createdBefore);
  if (deletedAfter === undefined) {
    yield* all(reader, timely);
    return;
  }
  const { max_runs, order_by, ...unlimited } = timely;
  const ids: string[] = [];
  for await (const chosen of all(reader, unlimited)) {
    const { deleted_time, run_id, run_name } = chosen.source.run;
    if (deleted_time === undefined) leftOut({ run_id, run_name });
    else if (compareInt64(deleted_time, deletedAfter) < 0) leftOut({ run_id, run_name, deleted_time });
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

/** The conditions go into the filter, so that a server sorts the others out. Throws EXPRESSION for a wrong filter. */
function within(selection: Selection, from: number | undefined, to: number | undefined): Selection {
  const conditions = [
    ...(from === undefined ? [] : [`attributes.start_time >= ${from}`]),
    ...(to === undefined ? [] : [`attributes.start_time <= ${to}`]),
  ];
  if (conditions.length === 0) return selection;
  const { filter } = selection;
  searchOf(selection);
  return {
    ...selection,
    filter: [...(filter === undefined ? [] : [`(${filter})`]), ...conditions].join(' AND '),
  };
}
