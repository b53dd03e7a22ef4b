import { ORIGIN_PARENT_TAG, ORIGIN_TAG, originRunId } from '../../src/model/canonical.ts';
import { ownValue } from '../../src/model/string-map.ts';
import type { RunSnapshot, Snapshot } from './snapshot.ts';

/** One thing that is not the same at source and target; undefined where one side lacks it. */
export interface Difference {
  /** `run odd metrics`, `experiment main`. */
  readonly object: string;
  /** `status`, `param lr`, `tag a`, `history loss`, `latest loss`, `input train`, `artifact model/MLmodel` … */
  readonly field: string;
  /** Of a history only the points that the other side lacks. */
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** How to compare. */
export interface ComparisonOptions {
  /** Losses that the target's MLflow makes unavoidable: a test names each. */
  readonly tolerate?: (difference: Difference) => boolean;
  /** Source experiment name → name on the target. */
  readonly renamed?: (name: string) => string;
}

type Fields = ReadonlyMap<string, string>;

const PARENT_TAG = 'mlflow.parentRunId';
const RUN_ID = /\b[0-9a-f]{32}\b/g;
const SHOWN = 300;

/**
 * All differences between two places as MLflow's own clients see them, for people. Runs are matched by the tag
 * mlferry.origin (by their id where the copy has none), experiments by name. Source ids inside tags and dataset
 * sources are expected as the target's. Not compared is what a place sets itself (ids, artifact roots, times of
 * experiments) and what mlferry adds (tags `mlferry.*`, artifacts `mlferry/`).
 */
export function differences(source: Snapshot, target: Snapshot, options: ComparisonOptions = {}): string[] {
  const renamed = options.renamed ?? ((name: string) => name);
  const found = [
    ...differingObjects(
      experimentsOf(source, renamed),
      experimentsOf(target, (name) => name),
    ),
    ...differingRuns(source, target, renamed),
  ];
  return found.filter((difference) => !options.tolerate?.(difference)).map(inWords);
}

function inWords({ object, field, source, target }: Difference): string {
  return `${object}: ${field}: ${short(source)} → ${short(target)}`;
}

function short(value: string | undefined): string {
  if (value === undefined) return 'nothing';
  return value.length > SHOWN
    ? `${JSON.stringify(value.slice(0, SHOWN))}… (${value.length})`
    : JSON.stringify(value);
}

function differingRuns(source: Snapshot, target: Snapshot, renamed: (name: string) => string): Difference[] {
  const copies = Map.groupBy(target.runs, sourceIdOf);
  const ids = new Map([...copies].map(([id, [copy]]) => [id, copy?.run_id ?? id]));
  const found: Difference[] = [];
  for (const run of source.runs) {
    const object = `run ${run.run_name}`;
    const [copy, ...twins] = copies.get(run.run_id) ?? [];
    copies.delete(run.run_id);
    const expected = runFields(inTargetIds(run, copy, ids), renamed(experimentName(source, run)));
    const actual = copy === undefined ? undefined : runFields(copy, experimentName(target, copy));
    found.push(...differingFields(object, expected, actual));
    for (const twin of twins)
      found.push({ object, field: 'second copy', source: undefined, target: twin.run_id });
  }
  for (const run of [...copies.values()].flat()) {
    found.push({ object: `run ${run.run_name}`, field: 'run', source: undefined, target: run.run_id });
  }
  return found;
}

function sourceIdOf(run: RunSnapshot): string {
  const origin = ownValue(run.tags, ORIGIN_TAG);
  return origin === undefined ? run.run_id : originRunId(origin);
}

function experimentName(snapshot: Snapshot, run: RunSnapshot): string {
  return snapshot.experiments.find(({ experiment_id }) => experiment_id === run.experiment_id)?.name ?? '';
}

/** The source run as its copy must look: own artifact root and the ids of all copied runs replaced. */
function inTargetIds(
  run: RunSnapshot,
  copy: RunSnapshot | undefined,
  ids: ReadonlyMap<string, string>,
): RunSnapshot {
  const translate = (text: string) =>
    (copy === undefined ? text : text.replaceAll(run.artifact_uri, copy.artifact_uri)).replace(
      RUN_ID,
      (id) => ids.get(id) ?? id,
    );
  const parent = ownValue(run.tags, PARENT_TAG);
  const tags = Object.entries(run.tags).map(([key, value]): [string, string] =>
    key === PARENT_TAG && parent !== undefined && !ids.has(parent)
      ? [ORIGIN_PARENT_TAG, parent]
      : [key, translate(value)],
  );
  return {
    ...run,
    tags: Object.fromEntries(tags),
    inputs: run.inputs.map((input) => ({ ...input, source: translate(input.source) })),
  };
}

function runFields(run: RunSnapshot, experiment: string): Fields {
  const { run_name, user_id, status, start_time, end_time, lifecycle_stage } = run;
  const plain = { run_name, user_id, status, start_time, end_time, lifecycle_stage, experiment };
  return new Map([
    ...Object.entries(plain).map(([field, value]): [string, string] => [field, String(value)]),
    ...prefixed('param', run.params),
    ...prefixed('tag', tagsToCompare(run.tags)),
    ...prefixed('latest', run.latest),
    ...Object.entries(run.history).map(([key, points]): [string, string] => [
      `history ${key}`,
      points.toSorted().join('\n'),
    ]),
    ...run.inputs.map(({ tags, ...dataset }): [string, string] => [
      `input ${dataset.name} ${dataset.digest}`,
      JSON.stringify([dataset, Object.entries(tags).sort()]),
    ]),
    ...Object.entries(run.artifacts)
      .filter(([path]) => !path.startsWith('mlferry/'))
      .map(([path, file]): [string, string] => [`artifact ${path}`, JSON.stringify(file)]),
  ]);
}

/** The tags that are the source's; the one that keeps an absent parent stands for the source's own. */
function tagsToCompare(tags: RunSnapshot['tags']): RunSnapshot['tags'] {
  return Object.fromEntries(
    Object.entries(tags).filter(([key]) => !key.startsWith('mlferry.') || key === ORIGIN_PARENT_TAG),
  );
}

function experimentsOf(snapshot: Snapshot, renamed: (name: string) => string): Map<string, Fields> {
  const used = new Set(snapshot.runs.map(({ experiment_id }) => experiment_id));
  return new Map(
    snapshot.experiments
      // MLflow makes an empty one wherever it starts.
      .filter(({ experiment_id, name }) => name !== 'Default' || used.has(experiment_id))
      .map(({ name, lifecycle_stage, tags }): [string, Fields] => [
        `experiment ${renamed(name)}`,
        new Map([['lifecycle_stage', lifecycle_stage], ...prefixed('tag', tagsToCompare(tags))]),
      ]),
  );
}

function prefixed(kind: string, map: Readonly<Record<string, string>>): Array<[string, string]> {
  return Object.entries(map).map(([key, value]) => [`${kind} ${key}`, value]);
}

function differingObjects(
  source: ReadonlyMap<string, Fields>,
  target: ReadonlyMap<string, Fields>,
): Difference[] {
  return [...new Set([...source.keys(), ...target.keys()])].flatMap((object) =>
    differingFields(object, source.get(object), target.get(object)),
  );
}

function differingFields(
  object: string,
  source: Fields | undefined,
  target: Fields | undefined,
): Difference[] {
  if (source === undefined || target === undefined) {
    const there = (fields: Fields | undefined) => (fields === undefined ? undefined : 'there');
    return [{ object, field: 'all', source: there(source), target: there(target) }];
  }
  return [...new Set([...source.keys(), ...target.keys()])]
    .filter((field) => source.get(field) !== target.get(field))
    .map((field) => differingField(object, field, source.get(field), target.get(field)));
}

function differingField(object: string, field: string, source?: string, target?: string): Difference {
  if (!field.startsWith('history ') || source === undefined || target === undefined) {
    return { object, field, source, target };
  }
  return { object, field, source: without(source, target), target: without(target, source) };
}

/** The lines of the one multiset that the other lacks. */
function without(lines: string, others: string): string {
  const counts = new Map<string, number>();
  for (const line of others.split('\n')) counts.set(line, (counts.get(line) ?? 0) + 1);
  return lines
    .split('\n')
    .filter((line) => {
      const left = counts.get(line) ?? 0;
      counts.set(line, left - 1);
      return left <= 0;
    })
    .join('\n');
}
