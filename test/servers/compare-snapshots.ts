import { ORIGIN_PARENT_TAG, ORIGIN_TAG, originRunId } from '../../src/model/canonical.ts';
import { ownValue } from '../../src/model/string-map.ts';
import type { RunSnapshot, Snapshot } from './snapshot.ts';

/** One thing that is not the same at source and target. */
export interface Difference {
  /** `run "odd metrics"`, `experiment "main"`. */
  readonly object: string;
  /** `status`, `param lr`, `tag a`, `history loss`, `latest loss`, `input train`, `artifact model/MLmodel` … */
  readonly field: string;
  readonly source: string | undefined;
  readonly target: string | undefined;
}

/** What a comparison may overlook, always said by the test: losses that the target's MLflow makes unavoidable. */
export interface ComparisonOptions {
  readonly tolerate?: (difference: Difference) => boolean;
  /** Source experiment name → name on the target. */
  readonly renamed?: (name: string) => string;
}

const PARENT_TAG = 'mlflow.parentRunId';
const SHOWN = 300;

/**
 * All differences between two places as MLflow's own clients see them, for people. Runs are matched by the tag
 * mlferry.origin (by their id where the copy has none), experiments by name. Source ids inside tags, dataset sources
 * and artifact URIs are expected as the target's. Not compared is what a server sets itself (ids, artifact roots,
 * times of experiments) and what mlferry adds (tags `mlferry.*`, artifacts `mlferry/`).
 */
export function differences(source: Snapshot, target: Snapshot, options: ComparisonOptions = {}): string[] {
  const found: Difference[] = [
    ...experimentDifferences(source, target, options.renamed ?? ((name) => name)),
    ...allRunDifferences(source, target, options.renamed ?? ((name) => name)),
  ];
  return found.filter((difference) => !options.tolerate?.(difference)).map(inWords);
}

function inWords({ object, field, source, target }: Difference): string {
  const short = (value: string | undefined) =>
    value === undefined ? 'nothing' : value.length > SHOWN ? `${value.slice(0, SHOWN)}… (${value.length})` : value;
  return `${object}: ${field}: ${short(source)} → ${short(target)}`;
}

/** MLflow makes an empty `Default` wherever it starts. */
function isUnusedDefault(snapshot: Snapshot, experiment: Snapshot['experiments'][number]): boolean {
  const { experiment_id, name, tags } = experiment;
  const unused = !snapshot.runs.some((run) => run.experiment_id === experiment_id);
  return experiment_id === '0' && name === 'Default' && unused && Object.keys(tags).length === 0;
}

function experimentDifferences(source: Snapshot, target: Snapshot, renamed: (name: string) => string): Difference[] {
  const found: Difference[] = [];
  const sources = source.experiments.filter((experiment) => !isUnusedDefault(source, experiment));
  const targets = target.experiments.filter((experiment) => !isUnusedDefault(target, experiment));
  for (const experiment of sources) {
    const object = `experiment "${experiment.name}"`;
    const copy = targets.find(({ name }) => name === renamed(experiment.name));
    if (copy === undefined) {
      found.push({ object, field: 'experiment', source: experiment.experiment_id, target: undefined });
      continue;
    }
    const compare = comparer(object, found);
    compare('lifecycle_stage', experiment.lifecycle_stage, copy.lifecycle_stage);
    compareMaps(compare, 'tag', withoutOurs(experiment.tags), withoutOurs(copy.tags));
  }
  const expected = new Set(sources.map(({ name }) => renamed(name)));
  for (const { name, experiment_id } of targets) {
    if (expected.has(name)) continue;
    found.push({ object: `experiment "${name}"`, field: 'experiment', source: undefined, target: experiment_id });
  }
  return found;
}

function allRunDifferences(source: Snapshot, target: Snapshot, renamed: (name: string) => string): Difference[] {
  const found: Difference[] = [];
  const copies = new Map<string, RunSnapshot[]>();
  for (const run of target.runs) {
    const origin = ownValue(run.tags, ORIGIN_TAG);
    const id = origin === undefined ? run.run_id : originRunId(origin);
    copies.set(id, [...(copies.get(id) ?? []), run]);
  }
  const inTargetIds = translator(source, copies);
  for (const run of source.runs) {
    const object = `run "${run.run_name}"`;
    const [copy, ...more] = copies.get(run.run_id) ?? [];
    copies.delete(run.run_id);
    if (copy === undefined) found.push({ object, field: 'run', source: run.run_id, target: undefined });
    else runDifferences(run, copy, comparer(object, found), (text) => inTargetIds(run, copy, text), copies, source);
    for (const twin of more) found.push({ object, field: 'second copy', source: run.run_id, target: twin.run_id });
    if (copy === undefined) continue;
    comparer(object, found)(
      'experiment',
      renamed(experimentName(source, run)),
      experimentName(target, copy),
    );
  }
  for (const [id, runs] of copies) {
    for (const run of runs) found.push({ object: `run "${run.run_name}"`, field: 'run', source: undefined, target: id });
  }
  return found;
}

const experimentName = (snapshot: Snapshot, run: RunSnapshot) =>
  snapshot.experiments.find(({ experiment_id }) => experiment_id === run.experiment_id)?.name ?? '';
