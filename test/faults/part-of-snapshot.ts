import type { Snapshot } from '../servers/snapshot.ts';

/** The experiments whose names begin with `prefix`, and their runs: one snapshot serves many copies. */
export function partOfSnapshot(snapshot: Snapshot, prefix: string): Snapshot {
  const experiments = snapshot.experiments.filter(({ name }) => name.startsWith(prefix));
  const ids = new Set(experiments.map(({ experiment_id }) => experiment_id));
  return {
    ...snapshot,
    experiments,
    runs: snapshot.runs.filter(({ experiment_id }) => ids.has(experiment_id)),
  };
}
