import { localPathProblem } from '../../../artifacts/local/names.ts';
import { fitRun, type RunLoss } from '../../../model/fit-run.ts';
import { isKeyAllowed } from '../../../model/mlflow/limits.ts';
import type { DatasetInput } from '../../../model/records.ts';
import type { Representation } from '../../representation.ts';
import { fitExperimentTags } from '../../writing/fit-experiment-tags.ts';
import type { Store } from '../read/store.ts';
import type { artifactRoots } from './artifact-roots.ts';
import { databaseLimits } from './limits.ts';
import { datasetKey, differs, textOf } from './write-inputs.ts';

/** What a copy in this database must look like; see write-run.ts, which makes it so. */
export function databaseRepresentation(
  store: Store,
  roots: Pick<ReturnType<typeof artifactRoots>, 'directoryOf'>,
): Representation {
  const limits = databaseLimits(store);
  return {
    keepsCreationTime: true,
    refusedPoints: 'metrics',
    experimentTags: (tags) => fitExperimentTags(tags, limits),
    run(wanted, present) {
      const fitted = fitRun(wanted, limits, present.tags);
      const losses = [...fitted.losses];
      const dataset_inputs = heldInputs(fitted.run.dataset_inputs, present.dataset_inputs, losses);
      const spills = fitted.oversize !== undefined || losses.length > fitted.losses.length;
      const { deleted_time = present.deleted_time, ...rest } = fitted.run;
      const kept = deleted_time === undefined ? {} : { deleted_time };
      return [{ run: { ...rest, ...kept, dataset_inputs }, losses, spills }];
    },
    points: () => ({
      merges: true,
      exact: false,
      negativeTimestamps: true,
      problemOf: (key) => (isKeyAllowed(key, limits) ? undefined : 'the target takes no metric of this key'),
    }),
    async artifacts({ run_id, artifact_uri }) {
      const directory = await roots.directoryOf({ id: run_id, artifact_uri });
      return (path) => {
        if (directory === undefined) {
          const detail = 'the artifact root on the target cannot be written from here';
          return { loss: { code: 'ARTIFACTS_UNREACHABLE', detail } };
        }
        const problem = localPathProblem(path);
        if (problem === undefined) return { path };
        const detail = `the artifact is left out: ${problem}`;
        return { loss: { code: 'ARTIFACT_NAME', left_behind: true, key: path, detail } };
      };
    },
  };
}

/** One input of each name and digest: the one that the target has, where it had another dataset before. */
function heldInputs(
  wanted: readonly DatasetInput[],
  present: readonly DatasetInput[],
  losses: RunLoss[],
): DatasetInput[] {
  const there = new Map(present.map((input) => [datasetKey(input.dataset), input]));
  const held = new Map<string, DatasetInput>();
  for (const input of wanted) {
    const key = datasetKey(input.dataset);
    const found = there.get(key);
    const shown = found !== undefined && textOf(found) !== textOf(input) ? found : input;
    if (shown !== input || held.has(key)) losses.push(differs(input));
    if (!held.has(key)) held.set(key, shown);
  }
  return [...held.values()];
}
