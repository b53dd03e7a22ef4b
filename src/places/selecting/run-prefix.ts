import type { Run } from '../../model/records.ts';
import { type Selection, selectsRun } from '../../model/selection.ts';
import { MlferryError } from '../../util/errors.ts';

/** What is told of a run that may be meant. */
export interface NamedRun extends Pick<Run, 'run_id' | 'lifecycle_stage'> {
  readonly experiment_name: string;
}

/** The runs of the selected experiments whose ids begin with a text, of any stage. It reports nothing. */
export type RunsLike = (selection: Selection, start: string) => AsyncIterable<NamedRun>;

/** MLflow's run ids have 32 hexadecimal digits: fewer of them may be the beginning of one. */
const PREFIX = /^[0-9a-f]{1,31}$/;
/** Runs that are named where a text may mean several. */
const MOST_SHOWN = 10;

/**
 * A function that puts whole run ids in the place of beginnings of some, each looked for once. A whole id goes before what only
 * begins so, and a run of the wanted stage before others. What begins no id stays as it is: the place reports it. The function
 * throws USAGE, with the runs that fit, where a beginning fits several.
 */
export function createRunPrefixes(runsLike: RunsLike): (selection: Selection) => Promise<Selection> {
  const known = new Map<string, Promise<string>>();
  return async (selection) => {
    if (!selection.runs.some((text) => PREFIX.test(text))) return selection;
    const { experiments, view } = selection;
    const whole = selection.runs.map((text) => {
      if (!PREFIX.test(text)) return text;
      const key = JSON.stringify([text, experiments, view]);
      const found = known.get(key) ?? wholeId(runsLike, selection, text);
      known.set(key, found);
      return found;
    });
    return { ...selection, runs: await Promise.all(whole) };
  };
}

async function wholeId(runsLike: RunsLike, selection: Selection, start: string): Promise<string> {
  const found: NamedRun[] = [];
  for await (const run of runsLike(selection, start)) {
    if (run.run_id === start) return start;
    found.push(run);
  }
  const wanted = found.filter((run) => selectsRun({ ...selection, runs: [] }, run));
  const runs = wanted.length > 0 ? wanted : found;
  if (runs.length > 1) throw ambiguous(start, runs);
  return runs[0]?.run_id ?? start;
}

function ambiguous(start: string, runs: readonly NamedRun[]): MlferryError {
  const shown = runs
    .slice(0, MOST_SHOWN)
    .map(({ run_id, experiment_name }) => `${run_id} of experiment ${JSON.stringify(experiment_name)}`);
  const more = runs.length > MOST_SHOWN ? `, and ${runs.length - MOST_SHOWN} more` : '';
  return new MlferryError('USAGE', `${runs.length} runs begin with ${start}: ${shown.join(', ')}${more}`, {
    hint: 'Give more of the id.',
  });
}
