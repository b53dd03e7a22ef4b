import type { LoggedModelView } from '../show/show-logged-model.ts';
import { redactUri } from '../util/redact.ts';
import { fieldsText, mapText, rowsText, section } from './fields-text.ts';
import { filesText } from './files-text.ts';
import { timeText } from './time-text.ts';
import { versionsText } from './versions-text.ts';

/** A logged model as text; `width`: cells of the terminal, without which nothing is cut. */
export function loggedModelText(view: LoggedModelView, width: number | undefined): string {
  const { model, experiment, versions, artifacts } = view;
  return [
    fieldsText(
      [
        ['logged model', model.name],
        ['id', model.model_id],
        ['type', model.model_type],
        ['status', model.status.replace('LOGGED_MODEL_', '')],
        ['experiment', `${experiment.name} (${experiment.experiment_id})`],
        ['run', model.source_run_id],
        ['created', timeText(model.creation_timestamp_ms)],
        ['last updated', timeText(model.last_updated_timestamp_ms)],
        ['artifacts at', redactUri(model.artifact_uri)],
        ['place', view.place.location],
      ],
      width,
    ),
    section('params', mapText(model.params, width)),
    section(
      'metrics',
      rowsText(
        ['metric', 'value', 'step', 'dataset'],
        model.metrics.map(({ key, value, step, dataset_name = '' }) => [
          key,
          String(value),
          String(step),
          dataset_name,
        ]),
        width,
      ),
    ),
    section('tags', mapText(model.tags, width)),
    section('registered as', versionsText(versions, width)),
    section('artifacts', filesText(artifacts, width)),
  ].join('');
}
