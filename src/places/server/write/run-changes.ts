import { ORIGIN_TAG } from '../../../model/canonical.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { withHeldModels } from '../../../model/mlflow/model-history.ts';
import { MODEL_HISTORY_TAG, RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import type { DatasetInput, Run } from '../../../model/records.ts';
import { ownValue, type StringMap } from '../../../model/string-map.ts';

/** Of the loss of a user that the target does not have so. */
export const OTHER_USER = 'the user is another on the target, where it cannot be changed';

/** The run with what only its copy tells of models among its files, on a server that has no logged models. */
export function keepModelHistory(wanted: Run, present: Run): Run {
  const [own, held] = [wanted, present].map(({ tags }) => ownValue(tags, MODEL_HISTORY_TAG));
  const history = withHeldModels(own, held);
  return history === own || history === undefined
    ? wanted
    : { ...wanted, tags: { ...wanted.tags, [MODEL_HISTORY_TAG]: history } };
}

/** What `runs/update` can change. The status is always sent: some stores need it. */
export interface InfoChange {
  readonly status: Run['status'];
  readonly end_time?: Exclude<Run['end_time'], null>;
  readonly run_name?: string;
}

/** What has to be sent so that the target's run becomes the wanted one, and what cannot be changed any more. */
export interface RunChanges {
  readonly params: StringMap;
  readonly tags: StringMap;
  readonly inputs: readonly DatasetInput[];
  readonly info: InfoChange | undefined;
  readonly losses: readonly RunLoss[];
}

/**
 * Compares a run, fitted to the target's limits, with what the target has. MLflow never changes a param, a start time or
 * a user, nor takes an end time away. Tags that only the target has stay: someone may have set them there.
 */
export function runChanges(wanted: Run, present: Run): RunChanges {
  const losses: RunLoss[] = [];
  const params = Object.entries(wanted.params).filter(([key, value]) => {
    const there = ownValue(present.params, key);
    if (there !== undefined && there !== value) {
      losses.push({
        code: 'VALUE_CONFLICT',
        key,
        detail: 'the param has another value on the target, where params cannot be changed',
      });
    }
    return there === undefined;
  });
  const tags = Object.entries(wanted.tags).filter(
    ([key, value]) => key !== RUN_NAME_TAG && key !== ORIGIN_TAG && ownValue(present.tags, key) !== value,
  );
  const has = new Set(present.dataset_inputs.map(inputKey));
  if (wanted.start_time !== null && wanted.start_time !== present.start_time) {
    losses.push({
      code: 'VALUE_CONFLICT',
      key: 'start_time',
      detail: 'the start time is another on the target, where it cannot be changed',
    });
  }
  if (wanted.user_id !== present.user_id) {
    losses.push({
      code: 'VALUE_CONFLICT',
      key: 'user_id',
      detail: OTHER_USER,
    });
  }
  if (wanted.end_time === null && present.end_time !== null) {
    losses.push({
      code: 'END_TIME_KEPT',
      key: 'end_time',
      detail: 'the run goes on at the source; the target keeps its earlier end time until the next one',
    });
  }
  return {
    params: Object.fromEntries(params),
    tags: Object.fromEntries(tags),
    inputs: wanted.dataset_inputs.filter((input) => !has.has(inputKey(input))),
    info: infoChange(wanted, present),
    losses,
  };
}

function infoChange(wanted: Run, present: Run): InfoChange | undefined {
  const end_time =
    wanted.end_time === null || wanted.end_time === present.end_time ? undefined : wanted.end_time;
  const run_name =
    wanted.run_name === '' || wanted.run_name === present.run_name ? undefined : wanted.run_name;
  if (wanted.status === present.status && end_time === undefined && run_name === undefined) return undefined;
  return {
    status: wanted.status,
    ...(end_time === undefined ? {} : { end_time }),
    ...(run_name === undefined ? {} : { run_name }),
  };
}

/** What MLflow tells datasets apart by. */
export function inputKey({ dataset }: DatasetInput): string {
  return JSON.stringify([dataset.name, dataset.digest]);
}
