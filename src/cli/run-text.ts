import type { RunSource } from '../look/run-source.ts';
import { sparkline } from '../look/sparkline.ts';
import { toDouble } from '../model/metric-value.ts';
import { DATASET_CONTEXT_TAG, MODEL_HISTORY_TAG, NOTE_TAG } from '../model/mlflow/tags.ts';
import type { Point } from '../model/records.ts';
import { ownValue } from '../model/string-map.ts';
import type { MetricSummary } from '../show/metric-summaries.ts';
import type { ModelOfRun } from '../show/models-of-run.ts';
import type { FamilyRun } from '../show/run-family.ts';
import type { RunView } from '../show/show-run.ts';
import { printable } from '../util/plain-text.ts';
import { redact, redactUri } from '../util/redact.ts';
import { type Field, fieldsText, linesText, mapText, rowsText, section } from './fields-text.ts';
import { filesText } from './files-text.ts';
import { formatCount, formatDuration } from './format.ts';
import { timeText } from './time-text.ts';
import { versionsText } from './versions-text.ts';

/** Cells of a sparkline. */
const SPARK = 24;
/** Digits of a metric. */
const DIGITS = 6;
/** Long, and shown in parts of their own. */
const ELSEWHERE: ReadonlySet<string> = new Set([NOTE_TAG, MODEL_HISTORY_TAG]);

/** A run as text; `width`: cells of the terminal, without which nothing is cut. */
export function runText(view: RunView, width: number | undefined): string {
  const { run, experiment, duration, source, note, metrics, models, versions } = view;
  const fields: Field[] = [
    ['run', run.run_name],
    ['id', run.run_id],
    ['experiment', `${experiment.name} (${experiment.experiment_id})`],
    ['status', run.lifecycle_stage === 'deleted' ? `${run.status}, deleted` : run.status],
    ['started', run.start_time === null ? undefined : timeText(run.start_time)],
    ['ended', run.end_time === null ? undefined : timeText(run.end_time)],
    ['duration', duration === null ? undefined : durationText(duration)],
    ['user', run.user_id],
    ['artifacts at', redactUri(run.artifact_uri)],
    ['place', view.place.location],
  ];
  const tags = Object.fromEntries(Object.entries(run.tags).filter(([key]) => !ELSEWHERE.has(key)));
  return [
    fieldsText(fields, width),
    section('source', source === undefined ? '' : sourceText(source, width)),
    section('note', linesText(note)),
    section('runs above and below', familyText(view)),
    section('params', mapText(run.params, width)),
    section('metrics', metricsText(metrics, width)),
    section('tags', mapText(tags, width)),
    section(
      'inputs',
      rowsText(
        ['dataset', 'digest', 'context', 'source'],
        run.dataset_inputs.map(({ dataset, tags: own }) => [
          dataset.name,
          dataset.digest,
          ownValue(own, DATASET_CONTEXT_TAG) ?? '',
          `${dataset.source_type} ${redact(dataset.source)}`,
        ]),
        width,
      ),
    ),
    section('models', rowsText(['model', 'name', 'is', 'type', 'step'], models.map(modelRow), width)),
    section('registered as', versionsText(versions, width)),
    section('artifacts', filesText(view.artifacts, width)),
  ].join('');
}

function modelRow({ model_id, role, name = '', model_type = '', step, path }: ModelOfRun): string[] {
  return [model_id, path ?? name, role, model_type, step === undefined ? '' : String(step)];
}

function durationText(ms: number): string {
  return ms < 1000 ? `${ms} ms` : formatDuration(ms / 1000);
}

function sourceText(source: RunSource, width: number | undefined): string {
  const { git, notebook, job, docker } = source;
  const state = git?.dirty === true ? ', with changes that are in no commit' : '';
  return fieldsText(
    [
      ['type', source.type],
      ['name', source.name === undefined ? undefined : redactUri(source.name)],
      ['entry point', source.entry_point],
      ['repository', git?.repository],
      ['commit', git?.commit === undefined ? undefined : `${git.commit}${state}`],
      ['branch', git?.branch],
      ['directory', git?.path],
      ['notebook', notebook?.path ?? notebook?.id],
      ['revision', notebook?.revision_id],
      ['job', job?.id],
      ['run of job', job?.run_id],
      ['cluster', source.cluster_id],
      ['backend', source.backend],
      ['environment', source.environment],
      ['image', docker?.image_uri],
      ['image id', docker?.image_id],
      ['link', source.link ?? git?.page],
    ],
    // A link that is cut opens nothing.
    source.link !== undefined && width !== undefined && source.link.length > width - 14 ? undefined : width,
  );
}

function metricsText(metrics: readonly MetricSummary[], width: number | undefined): string {
  return rowsText(
    ['metric', 'latest', 'step', 'min', 'max', 'points', 'history'],
    metrics.map(({ key, count, latest, min, max, history }) => [
      key,
      numberText(latest),
      latest === undefined ? '' : String(latest[0]),
      numberText(min),
      numberText(max),
      formatCount(count),
      history.length < 2
        ? ''
        : sparkline(
            history.map(([, , value]) => toDouble(value)),
            SPARK,
          ),
    ]),
    width,
  );
}

function numberText(point: Point | undefined): string {
  if (point === undefined) return '';
  const value = toDouble(point[2]);
  return Number.isInteger(value) || !Number.isFinite(value)
    ? String(value)
    : String(Number(value.toPrecision(DIGITS)));
}

/** The tree in which the run stands, marked by `*`. */
function familyText({ run, family: { parents, children } }: RunView): string {
  if (parents.length + children.length === 0) return '';
  const line = (depth: number, mark: string, member: Omit<FamilyRun, 'children'>) =>
    `${'  '.repeat(depth)}${mark} ${printable(member.run_name)}  ${member.run_id}  ${member.status.toLowerCase()}${member.lifecycle_stage === 'deleted' ? ', deleted' : ''}\n`;
  const below = (members: readonly FamilyRun[], depth: number): string =>
    members.map((member) => line(depth, '-', member) + below(member.children, depth + 1)).join('');
  return [
    ...parents.map((parent, depth) => line(depth, '-', parent)),
    line(parents.length, '*', run),
    below(children, parents.length + 1),
  ].join('');
}
