import { ORIGIN_TAG, originRunId } from '../../src/model/canonical.ts';
import { toJson } from '../../src/model/json.ts';
import type { Point, Run } from '../../src/model/records.ts';
import { ownValue, sortKeys } from '../../src/model/string-map.ts';
import { type MemoryRun, sha256, type Workspace } from '../places/memory-workspace.ts';

const sortedPoints = (points: readonly Point[]) => points.map((point) => toJson(point)).sort();

const sourceIdOf = ({ run_id, tags }: Run) => originRunId(ownValue(tags, ORIGIN_TAG) ?? run_id);

/** All of a run that a copy must have, as texts, so that NaN, -0 and `__proto__` compare; without ids and own tags. */
function essence({ run, metrics, artifacts }: MemoryRun): Record<string, unknown> {
  const { run_name, user_id, status, start_time, end_time, lifecycle_stage } = run;
  const tags = Object.entries(run.tags).filter(([key]) => !key.startsWith('mlferry.'));
  const inputs = run.dataset_inputs.map((input) =>
    toJson([sortKeys({ ...input.dataset }), sortKeys(input.tags)]),
  );
  return {
    ...{ run_name, user_id, status, start_time, end_time, lifecycle_stage },
    params: toJson(Object.entries(sortKeys(run.params))),
    tags: toJson(tags.sort()),
    inputs: inputs.sort(),
    latest: toJson(Object.entries(sortKeys(run.latest_metrics))),
    points: metrics.map(([key, points]) => [key, sortedPoints(points)]),
    artifacts: artifacts.map(([path, bytes]) => `${path} ${bytes.length} ${sha256(bytes)}`).sort(),
  };
}

/** A workspace in the form in which a copy equals its source: experiments by name, runs by their id at the source. */
export function essenceOf(workspace: Workspace): unknown {
  return workspace
    .map(({ experiment: { name, lifecycle_stage, tags }, runs }) => ({
      name,
      lifecycle_stage,
      tags: toJson(Object.entries(sortKeys(tags))),
      runs: runs
        .map((run): [id: string, run: Record<string, unknown>] => [sourceIdOf(run.run), essence(run)])
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
