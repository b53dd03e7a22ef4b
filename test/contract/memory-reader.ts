import { selectsExperiment, selectsRun } from '../../src/model/selection.ts';
import type { Reader, RunReader } from '../../src/places/place.ts';
import { SERVER_TRAITS } from '../../src/places/server/traits.ts';
import { memoryRunReader, type Workspace } from '../places/memory-workspace.ts';

/** A source in memory. `spoil` may make a run's reader fail the way broken sources do. */
export function memoryReader(
  workspace: Workspace,
  spoil: (reader: RunReader) => RunReader = (reader) => reader,
): Reader {
  return {
    info: { kind: 'server', location: 'memory', fingerprint: 'f'.repeat(16) },
    traits: SERVER_TRAITS,
    async *experiments(selection) {
      for (const { experiment } of workspace) if (selectsExperiment(selection, experiment)) yield experiment;
    },
    async *runs(experiment, selection) {
      const found = workspace.find((each) => each.experiment === experiment);
      for (const run of found?.runs ?? []) {
        if (selectsRun(selection, run.run)) yield spoil(memoryRunReader(run));
      }
    },
    close: async () => undefined,
  };
}
