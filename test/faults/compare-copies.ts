import { DUPLICATE_COPY_TAG } from '../../src/model/canonical.ts';
import { differences } from '../servers/compare-snapshots.ts';
import type { RunSnapshot, Snapshot } from '../servers/snapshot.ts';

/**
 * Differences of many copies of one source on one target, whose experiments have a prefix of their own each: MLflow's
 * own client looks at all of them at once. The second copy that a lost create left, deleted and marked, is no copy.
 */
export function differencesOfCopies(
  source: Snapshot,
  target: Snapshot,
  prefixes: Iterable<string>,
): string[] {
  return [...prefixes].flatMap((prefix) =>
    differences(source, partOf(target, prefix)).map((difference) => `${prefix} ${difference}`),
  );
}

function partOf(snapshot: Snapshot, prefix: string): Snapshot {
  const experiments = snapshot.experiments
    .filter(({ name }) => name.startsWith(prefix))
    .map((experiment) => ({ ...experiment, name: experiment.name.slice(prefix.length) }));
  const ids = new Set(experiments.map(({ experiment_id }) => experiment_id));
  const runs = snapshot.runs.filter((run) => ids.has(run.experiment_id) && !isRemovedCopy(run));
  return { ...snapshot, experiments, runs };
}

function isRemovedCopy({ lifecycle_stage, tags }: RunSnapshot): boolean {
  return lifecycle_stage === 'deleted' && Object.hasOwn(tags, DUPLICATE_COPY_TAG);
}
