import { type ListOptions, readPlace } from '../manage/list-runs.ts';
import { NOTE_TAG } from '../model/mlflow/tags.ts';
import type { Experiment, Run } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { PlaceInfo } from '../places/place.ts';
import { MlferryError } from '../util/errors.ts';
import { loggedModelsOf } from './models-of-run.ts';
import type { Shown } from './show-run.ts';

/** All that a place tells of an experiment: its record, and its active runs in short. */
export interface ExperimentView {
  readonly kind: 'experiment_view';
  readonly place: PlaceInfo;
  readonly experiment: Experiment;
  /** Markdown. */
  readonly note?: string | undefined;
  /** Active runs by status. */
  readonly statuses: Readonly<Record<string, number>>;
  readonly runs: number;
  readonly deleted_runs: number;
  /** Of active runs: the keys that they have, and how many runs have each. */
  readonly params: Readonly<Record<string, number>>;
  readonly metrics: Readonly<Record<string, number>>;
  /** The newest active runs, newest first. */
  readonly newest: ReadonlyArray<Pick<Run, 'run_id' | 'run_name' | 'status' | 'start_time' | 'user_id'>>;
  readonly logged_models: number;
}

/** Of the newest runs. */
const MOST_NEWEST = 10;

/** An experiment of any place, by its name or id. Throws NOT_FOUND where there is none, CONFLICT where a glob fits several. */
export async function showExperiment(
  location: string,
  name: string,
  options: ListOptions = {},
): Promise<Shown<ExperimentView>> {
  const found: ExperimentView[] = [];
  const failures = await readPlace(location, options, async (reader) => {
    const selection = { experiments: [name], runs: [], view: 'all' as const };
    for await (const experiment of reader.experiments(selection)) {
      const counts = { statuses: new Map(), params: new Map(), metrics: new Map() } satisfies Counts;
      let newest: Run[] = [];
      let runs = 0;
      let deleted = 0;
      for await (const { run } of reader.runs(experiment, selection)) {
        if (run.lifecycle_stage === 'deleted') {
          deleted += 1;
          continue;
        }
        runs += 1;
        count(counts.statuses, run.status);
        for (const key of Object.keys(run.params)) count(counts.params, key);
        for (const key of Object.keys(run.latest_metrics)) count(counts.metrics, key);
        newest = [...newest, run]
          .toSorted((a, b) => Number(b.start_time ?? 0) - Number(a.start_time ?? 0))
          .slice(0, MOST_NEWEST);
      }
      let models = 0;
      for await (const _ of loggedModelsOf(reader, [experiment])) models += 1;
      found.push({
        kind: 'experiment_view',
        place: reader.info,
        experiment,
        note: ownValue(experiment.tags, NOTE_TAG),
        statuses: sorted(counts.statuses),
        runs,
        deleted_runs: deleted,
        params: sorted(counts.params),
        metrics: sorted(counts.metrics),
        newest: newest.map(({ run_id, run_name, status, start_time, user_id }) => ({
          run_id,
          run_name,
          status,
          start_time,
          user_id,
        })),
        logged_models: models,
      });
    }
  });
  const [view, another] = found;
  if (view === undefined)
    throw new MlferryError('NOT_FOUND', `There is no experiment "${name}" in ${location}`, {
      hint: 'mlferry experiments list shows those that there are.',
    });
  if (another !== undefined)
    throw new MlferryError('USAGE', `"${name}" fits ${found.length} experiments`, {
      hint: 'Name one of them, or its id.',
    });
  return { view, failures };
}

type Counts = Readonly<Record<string, Map<string, number>>>;

function count(counts: Map<string, number>, word: string): void {
  counts.set(word, (counts.get(word) ?? 0) + 1);
}

const sorted = (counts: ReadonlyMap<string, number>) =>
  Object.fromEntries([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
