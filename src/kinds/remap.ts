import {
  EARLIER_ORIGINS_TAG,
  ORIGIN_PARENT_TAG,
  ORIGIN_TAG,
  withoutBookkeeping,
} from '../model/canonical.ts';
import type { Loss } from '../model/findings.ts';
import { MODEL_HISTORY_TAG, PARENT_TAG, ROOT_TAG } from '../model/mlflow/tags.ts';
import type { DatasetInput, Run } from '../model/records.ts';
import { ownValue, type StringMap } from '../model/string-map.ts';

/** Source id → target id of every run that is known to be on the target. */
export type RunIds = Pick<ReadonlyMap<string, string>, 'has' | 'get'>;

/** What remapping needs to know of a source run. */
export type SourceIds = Pick<Run, 'run_id' | 'artifact_uri'>;

/** The ids a run gets on the target. */
export interface OwnIds {
  readonly run_id: string;
  readonly experiment_id: string;
  readonly artifact_uri: string;
}

const RUN_URI = /\bruns:\/+([\w-]+)/g;
const HISTORY_RUN_ID = /"run_id"\s*:\s*"([^"\\]+)"/g;
const ID_TOKEN = /(?<![\w-])[0-9a-f]{32}(?![\w-])/g;

/** Source run ids that a tag or dataset source refers to. */
export function references(key: string, value: string): string[] {
  if (key === PARENT_TAG || key === ROOT_TAG) return [value];
  const found = [
    ...value.matchAll(RUN_URI),
    ...(key === MODEL_HISTORY_TAG ? value.matchAll(HISTORY_RUN_ID) : []),
  ];
  return found.flatMap((match) => match[1] ?? []);
}

/** Source run ids a run refers to: in its tags, and in its dataset inputs (which no server lets change later). */
export function runReferences(run: Run): { tags: Map<string, string[]>; inputs: string[] } {
  const tags = new Map<string, string[]>();
  for (const [key, value] of Object.entries(run.tags)) {
    const found = references(key, value).filter((id) => id !== run.run_id);
    if (found.length > 0) tags.set(key, found);
  }
  const inputs = run.dataset_inputs.flatMap(({ dataset }) => references('', dataset.source));
  return { tags, inputs: inputs.filter((id) => id !== run.run_id) };
}

function remapText(text: string, source: SourceIds, own: OwnIds, ids: RunIds, everywhere: boolean): string {
  const idOf = (id: string) => (id === source.run_id ? own.run_id : (ids.get(id) ?? id));
  const root = source.artifact_uri;
  const rooted = root === '' || own.artifact_uri === '' ? text : replaceRoot(text, root, own.artifact_uri);
  const linked = rooted.replace(
    RUN_URI,
    (uri, id: string) => uri.slice(0, uri.length - id.length) + idOf(id),
  );
  return everywhere ? linked.replace(ID_TOKEN, idOf) : linked;
}

/** Replaces the artifact root where it stands as a whole path prefix. */
export function replaceRoot(text: string, from: string, to: string): string {
  return text.split(from).reduce((done, rest) => done + (/^[\w.-]/.test(rest) ? from : to) + rest);
}

/** One tag in target ids. `undefined`: a parent that is not on the target (yet), which must not be set. */
export function remapTag(
  key: string,
  value: string,
  source: SourceIds,
  own: OwnIds,
  ids: RunIds,
): string | undefined {
  if (key === PARENT_TAG) return value === source.run_id ? own.run_id : ids.get(value);
  if (key === ROOT_TAG) return value === source.run_id ? own.run_id : (ids.get(value) ?? value);
  return remapText(value, source, own, ids, key === MODEL_HISTORY_TAG);
}

function remapInput(input: DatasetInput, source: Run, own: OwnIds, ids: RunIds): DatasetInput {
  return {
    ...input,
    dataset: { ...input.dataset, source: remapText(input.dataset.source, source, own, ids, false) },
  };
}

/**
 * The source run in target ids: its own ids, `mlflow.parentRunId`, `mlflow.rootRunId`, run ids and artifact URIs in
 * `mlflow.log-model.history`, and `runs:/` URIs in tags and dataset sources. A parent that is not known yet is kept
 * under `mlferry.origin_parent`, which the second pass replaces.
 */
export function remapRun(source: Run, own: OwnIds, ids: RunIds): Run {
  return {
    ...source,
    run_id: own.run_id,
    experiment_id: own.experiment_id,
    artifact_uri: own.artifact_uri,
    tags: Object.fromEntries(
      Object.entries(tagsToCarry(source)).map(([key, value]) => {
        const target = remapTag(key, value, source, own, ids);
        return target === undefined ? [ORIGIN_PARENT_TAG, value] : [key, target];
      }),
    ),
    dataset_inputs: source.dataset_inputs.map((input) => remapInput(input, source, own, ids)),
  };
}

/** The source's tags without the marks of an earlier copy, whose origin is kept as provenance. */
function tagsToCarry(source: Run): StringMap {
  const tags = withoutBookkeeping(source.tags);
  const origin = ownValue(source.tags, ORIGIN_TAG);
  if (origin === undefined) return tags;
  const earlier = ownValue(source.tags, EARLIER_ORIGINS_TAG);
  return { ...tags, [EARLIER_ORIGINS_TAG]: earlier === undefined ? origin : `${earlier}\n${origin}` };
}

/** The tags with references to runs that are not known to be on the target. */
export function unresolvedTags(
  run: Run,
  references: Map<string, string[]>,
  runIds: RunIds,
): Map<string, string> {
  const open = new Map<string, string>();
  for (const [key, ids] of references) {
    if (ids.every((id) => runIds.has(id))) continue;
    const value = ownValue(run.tags, key);
    if (value !== undefined) open.set(key, value);
  }
  return open;
}

/** The loss of references to runs that are not on the target: they keep their source ids. */
export function referenceKept(
  experiment_name: string,
  run_id: string,
  key: string,
  ids: readonly string[],
): Loss {
  const which = [...new Set(ids)];
  return {
    code: 'REFERENCE_KEPT',
    experiment_name,
    run_id,
    key,
    count: which.length,
    detail: `it names what is not on the target and keeps the source ids: ${which.slice(0, 3).join(', ')}${which.length > 3 ? ', …' : ''}`,
  };
}
