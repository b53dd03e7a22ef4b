import { join } from 'node:path';
import { localPathProblem } from '../../../artifacts/local/names.ts';
import type { RunLoss } from '../../../model/fit-run.ts';
import { RUN_NAME_TAG } from '../../../model/mlflow/tags.ts';
import { OVERSIZE_FILE } from '../../../model/own-files.ts';
import type { DatasetInput, Run } from '../../../model/records.ts';
import { ownValue } from '../../../model/string-map.ts';
import type { Representation } from '../../representation.ts';
import { datasetId } from '../layout/dataset-files.ts';
import { createKeySpace } from '../layout/key-paths.ts';
import { createOversizeFile } from '../layout/oversize.ts';
import { createTagCheck } from './experiment-tags.ts';
import { holdable, holdableName } from './run-context.ts';

/** What a copy in the store at `root` must look like; see new-run.ts, which makes it so. */
export function fileStoreRepresentation(root: string): Representation {
  const directoryOf = ({ experiment_id, run_id }: Run) => join(root, experiment_id, run_id);
  return {
    keepsCreationTime: true,
    refusedPoints: 'oversize',
    experimentTags(tags, present) {
      const lossOf = createTagCheck(root, Object.keys(present));
      const losses: RunLoss[] = [];
      const kept = Object.entries(tags)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .filter(([key, value]) => {
          const loss = lossOf(key, value);
          if (loss !== undefined) losses.push(loss);
          return loss === undefined;
        });
      return { tags: Object.fromEntries(kept), losses };
    },
    run(wanted, present) {
      const losses: RunLoss[] = [];
      const job = { runDir: directoryOf(present), note: (loss: RunLoss) => void losses.push(loss) };
      const oversize = createOversizeFile(undefined);
      const held = (kind: 'params' | 'tags') =>
        Object.fromEntries(holdable(kind, wanted[kind], Object.keys(present[kind]), job, oversize));
      const params = held('params');
      const tags = held('tags');
      const run_name = holdableName('run_name', wanted.run_name, job, oversize);
      const user_id = holdableName('user_id', wanted.user_id, job, oversize);
      const dataset_inputs = representedInputs(wanted.dataset_inputs, losses);
      if (wanted.start_time === null) {
        losses.push({
          code: 'START_TIME_UNSET',
          detail: 'the run has no start time, and no MLflow reads such a run; it became 0',
        });
      }
      const { deleted_time = present.deleted_time, ...rest } = wanted;
      return [
        {
          run: {
            ...rest,
            ...(deleted_time === undefined ? {} : { deleted_time }),
            params,
            tags,
            run_name: run_name || (ownValue(tags, RUN_NAME_TAG) ?? ''),
            user_id,
            start_time: wanted.start_time ?? 0,
            dataset_inputs,
          },
          losses,
          spills: !oversize.isEmpty || losses.some(({ code }) => code === 'DATASET_DIFFERS'),
        },
      ];
    },
    points: (present) => ({
      merges: false,
      exact: true,
      negativeTimestamps: true,
      problemOf: createKeySpace(join(directoryOf(present), 'metrics'), Object.keys(present.latest_metrics)),
    }),
    artifacts: async () => {
      const problemOf = createPathSpace();
      return (path) => {
        const problem = localPathProblem(path) ?? problemOf(path);
        if (problem === undefined) return { path };
        const detail = `the artifact is left out: ${problem}`;
        return { loss: { code: 'ARTIFACT_NAME', left_behind: true, key: path, detail } };
      };
    },
  };
}

/** One input of each name and digest, without half characters. */
function representedInputs(inputs: readonly DatasetInput[], losses: RunLoss[]): DatasetInput[] {
  const held = new Map<string, DatasetInput>();
  for (const input of inputs) {
    const texts = [...Object.values(input.dataset), ...Object.entries(input.tags).flat()];
    const id = datasetId(input.dataset);
    const whole = texts.every((text) => text?.isWellFormed() ?? true);
    if (whole && !held.has(id)) held.set(id, input);
    else if (!whole || JSON.stringify(held.get(id)) !== JSON.stringify(input)) {
      losses.push({
        code: 'DATASET_DIFFERS',
        key: input.dataset.name,
        detail: `the dataset is in ${OVERSIZE_FILE}: no file can hold it, or the run has another of its name`,
      });
    }
  }
  return [...held.values()];
}

/** A path cannot be a file and another file's directory at once: the first one asked for wins. */
function createPathSpace(): (path: string) => string | undefined {
  const files = new Set<string>();
  const directories = new Set<string>();
  return (path) => {
    const above = [...path.matchAll(/\//g)].map((match) => path.slice(0, match.index));
    if (directories.has(path) || above.some((directory) => files.has(directory)))
      return 'a file and a directory would have the same name';
    files.add(path);
    for (const directory of above) directories.add(directory);
    return undefined;
  };
}
