import { NOTE_TAG } from '../model/mlflow/tags.ts';
import type { ExperimentView } from '../show/show-experiment.ts';
import { redactUri } from '../util/redact.ts';
import { fieldsText, linesText, mapText, rowsText, section } from './fields-text.ts';
import { formatCount } from './format.ts';
import { timeText } from './time-text.ts';

/** An experiment as text; `width`: cells of the terminal, without which nothing is cut. */
export function experimentText(view: ExperimentView, width: number | undefined): string {
  const { experiment, statuses, runs, params, metrics, newest } = view;
  const { creation_time, last_update_time } = experiment;
  const by = Object.entries(statuses).map(
    ([status, count]) => `${formatCount(count)} ${status.toLowerCase()}`,
  );
  const { [NOTE_TAG]: _, ...tags } = experiment.tags;
  const keys = (counts: ExperimentView['params']) =>
    rowsText(
      ['key', 'runs'],
      Object.entries(counts).map(([key, count]) => [key, formatCount(count)]),
      width,
    );
  return [
    fieldsText(
      [
        ['experiment', experiment.name],
        ['id', experiment.experiment_id],
        ['stage', experiment.lifecycle_stage],
        ['created', creation_time === undefined ? undefined : timeText(creation_time)],
        ['last updated', last_update_time === undefined ? undefined : timeText(last_update_time)],
        ['artifacts at', redactUri(experiment.artifact_location)],
        ['runs', `${formatCount(runs)}${by.length === 0 ? '' : `: ${by.join(', ')}`}`],
        ['deleted runs', view.deleted_runs === 0 ? undefined : formatCount(view.deleted_runs)],
        ['logged models', view.logged_models === 0 ? undefined : formatCount(view.logged_models)],
        ['place', view.place.location],
      ],
      width,
    ),
    section('note', linesText(view.note)),
    section('tags', mapText(tags, width)),
    section('params', keys(params)),
    section('metrics', keys(metrics)),
    section(
      'newest runs',
      rowsText(
        ['run_id', 'name', 'status', 'started', 'user'],
        newest.map(({ run_id, run_name, status, start_time, user_id }) => [
          run_id,
          run_name,
          status,
          start_time === null ? '' : timeText(start_time),
          user_id,
        ]),
        width,
      ),
    ),
  ].join('');
}
