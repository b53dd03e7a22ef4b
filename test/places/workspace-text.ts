import { canonicalLine } from '../../src/kinds/wire-record.ts';
import { pointsOf } from '../../src/model/points.ts';
import { sha256, type Workspace } from './memory-workspace.ts';

/** A workspace as lines that are equal exactly when everything in it is equal, -0 and `__proto__` included. */
export function workspaceText(workspace: Workspace): string[] {
  return workspace.flatMap(({ experiment, runs }) => [
    canonicalLine(experiment),
    ...runs.flatMap(({ run, metrics, artifacts }) => [
      canonicalLine(run),
      ...metrics.map(([key, points]) =>
        canonicalLine({ kind: 'metrics', run_id: run.run_id, key, points: pointsOf(points) }),
      ),
      ...artifacts.map(([path, bytes]) =>
        canonicalLine({
          kind: 'artifact',
          run_id: run.run_id,
          path,
          size: bytes.length,
          sha256: sha256(bytes),
        }),
      ),
    ]),
  ]);
}
