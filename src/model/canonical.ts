import { createHash } from 'node:crypto';
import { compareInt64 } from './int64.ts';
import { toJson } from './json.ts';
import type { DatasetInput, Experiment, ModelOutput, Run } from './records.ts';
import { sortKeys } from './string-map.ts';

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function canonicalInput({ dataset, tags }: DatasetInput): DatasetInput {
  const { name, digest, source_type, source, schema, profile } = dataset;
  return {
    dataset: {
      name,
      digest,
      source_type,
      source,
      ...(schema === undefined ? {} : { schema }),
      ...(profile === undefined ? {} : { profile }),
    },
    tags: sortKeys(tags),
  };
}

/** An experiment in its one form: fixed field order, keys sorted. */
export function canonicalExperiment(e: Experiment): Experiment {
  return {
    kind: e.kind,
    experiment_id: e.experiment_id,
    name: e.name,
    artifact_location: e.artifact_location,
    lifecycle_stage: e.lifecycle_stage,
    ...(e.creation_time === undefined ? {} : { creation_time: e.creation_time }),
    ...(e.last_update_time === undefined ? {} : { last_update_time: e.last_update_time }),
    tags: sortKeys(e.tags),
  };
}

/** A run in its one form: fixed field order, keys and inputs sorted. */
export function canonicalRun(r: Run): Run {
  return {
    kind: r.kind,
    run_id: r.run_id,
    experiment_id: r.experiment_id,
    run_name: r.run_name,
    user_id: r.user_id,
    status: r.status,
    start_time: r.start_time,
    end_time: r.end_time,
    lifecycle_stage: r.lifecycle_stage,
    ...(r.deleted_time === undefined ? {} : { deleted_time: r.deleted_time }),
    ...(r.incomplete === undefined ? {} : { incomplete: r.incomplete }),
    artifact_uri: r.artifact_uri,
    params: sortKeys(r.params),
    tags: sortKeys(r.tags),
    dataset_inputs: r.dataset_inputs
      .map(canonicalInput)
      .sort((a, b) => byText(a.dataset.name, b.dataset.name) || byText(a.dataset.digest, b.dataset.digest)),
    ...(r.model_inputs === undefined
      ? {}
      : { model_inputs: r.model_inputs.toSorted((a, b) => byText(a.model_id, b.model_id)) }),
    ...(r.model_outputs === undefined ? {} : { model_outputs: r.model_outputs.toSorted(byModel) }),
    latest_metrics: sortKeys(r.latest_metrics),
  };
}

function byModel(a: ModelOutput, b: ModelOutput): number {
  return byText(a.model_id, b.model_id) || compareInt64(a.step, b.step);
}

/**
 * sha256 (hex) of what a run holds, in the ids of its source: the same for the same run read from a server, an
 * archive or a directory. Left out is what only describes the place it stands in (`artifact_uri`, `experiment_id`,
 * `deleted_time`), `model_inputs`, which no listing of a server tells, `incomplete`, which says how it was read, and mlferry's
 * own bookkeeping tags.
 */
export function runDigest(record: Run): string {
  const { artifact_uri, experiment_id, deleted_time, model_inputs, incomplete, ...rest } = canonicalRun({
    ...record,
    tags: withoutBookkeeping(record.tags),
  });
  return createHash('sha256').update(toJson(rest)).digest('hex');
}

/** Where a copied run came from: `<fingerprint>/<source run_id>`. Sent in the create, so a lost answer can be found again. */
export const ORIGIN_TAG = 'mlferry.origin';
/** {@link runDigest} of the source run, set last: a run without it is not complete. */
export const DIGEST_TAG = 'mlferry.digest';
/** {@link DIGEST_TAG} of a copy that was deleted because its source no longer had the run: it comes back when the run does. */
export const GONE_DIGEST = 'gone';
/** The list of the source's files that were copied (src/model/file-list.ts): a file that came since then is looked for. */
export const FILES_TAG = 'mlferry.files';
/** The run as mlferry wrote it (src/kinds/copy-digest.ts): another one now means that somebody changed the copy. */
export const COPY_TAG = 'mlferry.copy_digest';
/** The source's `mlflow.parentRunId` when the parent was not copied along. */
export const ORIGIN_PARENT_TAG = 'mlferry.origin_parent';

/** On a second, empty copy that a create thought lost had made and that was deleted: the run_id of the copy that counts. */
export const DUPLICATE_COPY_TAG = 'mlferry.twin_of';

/** Origins of the source run itself, when it was a copy: one a line, the oldest first. */
export const EARLIER_ORIGINS_TAG = 'mlferry.earlier_origins';

/** On a model version that is being made again: its number, until it is whole. On one that only takes a number away: nothing. */
export const REMADE_TAG = 'mlferry.remade';

/**
 * When mlferry deleted the run, in ms since the epoch as decimal text: no server tells the time of a deletion over REST.
 * Set before the deletion and removed by mlferry's restore; it says nothing about an active run.
 */
export const DELETED_TIME_TAG = 'mlferry.deleted_time';

/** When the source of a copy was created, in ms since the epoch as decimal text, where the place sets that time itself. */
export const CREATION_TIME_TAG = 'mlferry.creation_time';

/** On a copied model version whose files a logged model of its own holds: the source that it had, in the target’s ids. */
export const VERSION_SOURCE_TAG = 'mlferry.version_source';

const BOOKKEEPING: ReadonlySet<string> = new Set([
  ORIGIN_TAG,
  DIGEST_TAG,
  FILES_TAG,
  COPY_TAG,
  DELETED_TIME_TAG,
  CREATION_TIME_TAG,
  VERSION_SOURCE_TAG,
  REMADE_TAG,
]);

/** The tags without mlferry's own marks of an earlier copy or deletion. */
export function withoutBookkeeping(tags: Run['tags']): Run['tags'] {
  return Object.fromEntries(Object.entries(tags).filter(([key]) => !BOOKKEEPING.has(key)));
}

/** The source run_id in a value of {@link ORIGIN_TAG}: all after the last slash. */
export function originRunId(origin: string): string {
  return origin.slice(origin.lastIndexOf('/') + 1);
}

/** The source id in the {@link ORIGIN_TAG} of an object of any kind: all after the first slash. */
export function originId(origin: string): string {
  return origin.slice(origin.indexOf('/') + 1);
}

/**
 * Ids of the runs that had been deleted before their experiment was: a tag of the experiment, continued in
 * `mlferry.deleted_runs.2`, `.3` … It has run ids of the place it stands in.
 */
export const DELETED_RUNS_TAG = 'mlferry.deleted_runs';

/** Whether an experiment's tag is {@link DELETED_RUNS_TAG} or one that continues it. */
export function isDeletedRunsTag(key: string): boolean {
  return key === DELETED_RUNS_TAG || /^mlferry\.deleted_runs\.\d+$/.test(key);
}

/** An experiment without mlferry's own marks, which mean nothing where its runs have other ids. */
export function withoutDeletedRuns(source: Experiment): Experiment {
  const tags = Object.entries(source.tags).filter(([key]) => !isDeletedRunsTag(key));
  return { ...source, tags: Object.fromEntries(tags) };
}
