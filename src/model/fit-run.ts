import type { Loss } from './findings.ts';
import { allowedText, fits, isKeyAllowed, prefix, type TargetLimits } from './mlflow/limits.ts';
import { fitModelHistory } from './mlflow/model-history.ts';
import { MODEL_HISTORY_TAG, RUN_NAME_TAG } from './mlflow/tags.ts';
import { OVERSIZE_FILE } from './own-files.ts';
import type { DatasetInput, Run } from './records.ts';
import { ownValue, type StringMap } from './string-map.ts';

/** What a run lost to the limits, in full: the content of its artifact `mlferry/oversize.json`. */
export interface Oversize {
  readonly run_name?: string;
  readonly user_id?: string;
  readonly params: StringMap;
  readonly tags: StringMap;
  readonly dataset_inputs: readonly DatasetInput[];
}

/** A loss of the run at hand: the caller knows which one. */
export type RunLoss = Omit<Loss, 'run_id' | 'experiment_name'>;

/** A run reduced to what the target takes. */
export interface FittedRun {
  /** As it can be sent; `latest_metrics` is untouched. */
  readonly run: Run;
  /** All that was shortened or left out. */
  readonly oversize: Oversize | undefined;
  readonly losses: readonly RunLoss[];
}

/**
 * Tags whose keys only `runs/create` takes, because the SQL store checks no tags there (seen from 2.9 to 3.17): they
 * come from creates themselves.
 */
export function tagsForCreateOnly(tags: StringMap, limits: TargetLimits): StringMap {
  return Object.fromEntries(
    Object.entries(tags).filter(
      ([key, value]) =>
        key !== '' &&
        !isKeyAllowed(key, limits) &&
        fits(key, limits.key) &&
        allowedText(key, limits) === key &&
        fits(value, limits.tag) &&
        allowedText(value, limits) === value,
    ),
  );
}

/**
 * Measures a run before it is sent, because servers cut long values silently with a 200 (MLflow 2.11 and newer).
 * Shortened values are prefixes of the allowed length; keys that are not allowed are left out, except tags that the
 * target has already (`kept`).
 */
export function fitRun(run: Run, limits: TargetLimits, kept: StringMap = {}): FittedRun {
  const losses: RunLoss[] = [];
  const params = fitMap('param', run.params, limits.param, limits, losses);
  const tagsToSend = Object.entries(run.tags).filter(
    ([key, value]) => isKeyAllowed(key, limits) || ownValue(kept, key) !== value,
  );
  const name = fitName(run, limits, losses);
  const tags = fitMap(
    'tag',
    Object.fromEntries(tagsToSend.filter(([key]) => limits.unchecked || key !== RUN_NAME_TAG)),
    limits.tag,
    limits,
    losses,
  );
  const user = allowedText(run.user_id, limits);
  const user_id = limits.columns === undefined ? user : prefix(user, limits.columns.userId);
  if (user_id !== run.user_id) losses.push(valueLoss('the user', 'user_id', user !== run.user_id));
  const inputs = run.dataset_inputs.map((input) => ({ input, fitted: fitInput(input, limits, losses) }));
  const spilledInputs = inputs.filter(({ input, fitted }) => input !== fitted).map(({ input }) => input);
  const oversize: Oversize = {
    ...(name.spilled === undefined ? {} : { run_name: name.spilled }),
    ...(user_id === run.user_id ? {} : { user_id: run.user_id }),
    params: params.spilled,
    tags: { ...tags.spilled, ...name.spilledTag },
    dataset_inputs: spilledInputs,
  };
  const nothing =
    oversize.run_name === undefined &&
    oversize.user_id === undefined &&
    spilledInputs.length === 0 &&
    Object.keys(oversize.params).length === 0 &&
    Object.keys(oversize.tags).length === 0;
  return {
    run: {
      ...run,
      run_name: name.run_name,
      user_id,
      params: params.sent,
      tags: tags.sent,
      dataset_inputs: inputs.map(({ fitted }) => fitted),
    },
    oversize: nothing ? undefined : oversize,
    losses,
  };
}

function valueLoss(what: string, key: string, characters: boolean): RunLoss {
  return characters
    ? {
        code: 'VALUE_NOT_ALLOWED',
        key,
        detail: `${what} holds characters that the target cannot hold; they were replaced, the full value is in ${OVERSIZE_FILE}`,
      }
    : {
        code: 'NAME_TOO_LONG',
        key,
        detail: `${what} was shortened; the full value is in ${OVERSIZE_FILE}`,
      };
}

function fitMap(
  what: 'param' | 'tag',
  map: StringMap,
  limit: number,
  limits: TargetLimits,
  losses: RunLoss[],
): { sent: StringMap; spilled: StringMap } {
  const sent: Array<[string, string]> = [];
  const spilled: Array<[string, string]> = [];
  for (const [key, value] of Object.entries(map)) {
    const allowed = allowedText(value, limits);
    if (!isKeyAllowed(key, limits)) {
      losses.push({
        code: 'KEY_NOT_ALLOWED',
        key,
        detail: `the target takes no ${what} of this key; it is in ${OVERSIZE_FILE}`,
      });
    } else if (!fits(allowed, limit)) {
      losses.push({
        code: what === 'param' ? 'PARAM_TOO_LONG' : 'TAG_TOO_LONG',
        key,
        detail: `the ${what} is longer than ${limit} characters and was shortened; the full value is in ${OVERSIZE_FILE}`,
      });
      sent.push([key, shortened(key, allowed, limit)]);
    } else {
      sent.push([key, allowed]);
      if (allowed === value) continue;
      losses.push(valueLoss(`the ${what}`, key, true));
    }
    spilled.push([key, value]);
  }
  return { sent: Object.fromEntries(sent), spilled: Object.fromEntries(spilled) };
}

/** The beginning of a value. */
function shortened(key: string, value: string, limit: number): string {
  const history = key === MODEL_HISTORY_TAG ? fitModelHistory(value, (text) => fits(text, limit)) : undefined;
  return history ?? prefix(value, limit);
}

/** The name to send: `mlflow.runName` where the run itself has none, as MLflow does it. Both together must be equal. */
function fitName(
  run: Run,
  limits: TargetLimits,
  losses: RunLoss[],
): { run_name: string; spilled: string | undefined; spilledTag: StringMap } {
  const tag = ownValue(run.tags, RUN_NAME_TAG);
  const wanted = run.run_name === '' ? (tag ?? '') : run.run_name;
  const allowed = allowedText(wanted, limits);
  // A server stores the name as a tag, too.
  const longest = limits.unchecked ? Number.POSITIVE_INFINITY : limits.tag;
  const run_name = prefix(allowed, Math.min(longest, limits.columns?.runName ?? longest));
  if (wanted === '' && !limits.unchecked) {
    losses.push({
      code: 'VALUE_NOT_ALLOWED',
      key: 'run_name',
      detail: 'the run has no name; the target gave it one',
    });
  } else if (run_name !== wanted)
    losses.push(valueLoss('the name of the run', 'run_name', allowed !== wanted));
  const differs = !limits.unchecked && tag !== undefined && tag !== wanted;
  if (differs) {
    losses.push({
      code: 'VALUE_CONFLICT',
      key: RUN_NAME_TAG,
      detail: `the tag differs from the name of the run, which a server keeps equal; the tag is in ${OVERSIZE_FILE}`,
    });
  }
  return {
    run_name,
    spilled: run_name === wanted ? undefined : wanted,
    spilledTag: differs ? Object.fromEntries([[RUN_NAME_TAG, tag]]) : {},
  };
}

/** The same object when nothing had to change. Name, digest and source are cut; half a schema is of no use. */
function fitInput(input: DatasetInput, limits: TargetLimits, losses: RunLoss[]): DatasetInput {
  const { dataset, tags } = input;
  const cut = (text: string, limit: number) => prefix(allowedText(text, limits), limit);
  const whole = (text: string | undefined, limit: number) =>
    text === undefined ? undefined : fits(text, limit) ? allowedText(text, limits) : undefined;
  const schema = whole(dataset.schema, limits.dataset.schema);
  const profile = whole(dataset.profile, limits.dataset.profile);
  const fitted: DatasetInput = {
    dataset: {
      name: cut(dataset.name, limits.dataset.name),
      digest: cut(dataset.digest, limits.dataset.digest),
      source_type: cut(dataset.source_type, limits.columns?.sourceType ?? Number.POSITIVE_INFINITY),
      source: cut(dataset.source, limits.dataset.source),
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    },
    tags: Object.fromEntries(
      Object.entries(tags)
        .filter(([key]) => key !== '' && fits(key, limits.inputTag.key) && allowedText(key, limits) === key)
        .map(([key, value]) => [key, cut(value, limits.inputTag.value)]),
    ),
  };
  const fields: ReadonlyArray<[name: string, before: string | undefined, after: string | undefined]> = [
    ['name', dataset.name, fitted.dataset.name],
    ['digest', dataset.digest, fitted.dataset.digest],
    ['source_type', dataset.source_type, fitted.dataset.source_type],
    ['source', dataset.source, fitted.dataset.source],
    ['schema', dataset.schema, schema],
    ['profile', dataset.profile, profile],
    ...Object.entries(tags).map(([key, value]): [string, string, string | undefined] => [
      `tag ${key}`,
      value,
      ownValue(fitted.tags, key),
    ]),
  ];
  const changed = fields.filter(([, before, after]) => before !== after).map(([name]) => name);
  if (changed.length === 0) return input;
  losses.push({
    code: 'DATASET_TOO_LONG',
    key: prefix(dataset.name, 100),
    detail: `the target cannot hold ${changed.join(', ')} of the dataset as it is; the whole record is in ${OVERSIZE_FILE}`,
  });
  return fitted;
}
