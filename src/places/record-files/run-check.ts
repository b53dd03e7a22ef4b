import { artifactPathProblem } from '../../artifacts/artifact-path.ts';
import type { MetricsRecord } from '../../model/metrics-line.ts';
import { type ArtifactRecord, MAX_POINTS } from '../../model/records.ts';

/** A reason why a record cannot follow the run above it; `hostile` when its path could reach out of the run. */
export interface RunProblem {
  readonly reason: string;
  readonly hostile: boolean;
}

/**
 * Watches the metrics and artifact records of one run, on the way out and on the way in alike, so that nothing is
 * written that would not be read: the pieces of a key stand together, each artifact path is safe and comes once. `hold`
 * hears of the bytes that each new key and path keeps in memory.
 */
export function watchRun(hold: (bytes: number) => void = () => undefined): {
  metrics(record: Pick<MetricsRecord, 'key' | 'points'>): RunProblem | undefined;
  artifact(record: Pick<ArtifactRecord, 'path'>): RunProblem | undefined;
} {
  const keys = new Set<string>();
  const paths = new Set<string>();
  let key: string | undefined;
  return {
    metrics: (record) => {
      if (record.points.length > MAX_POINTS)
        return { reason: `has more than ${MAX_POINTS} points`, hostile: false };
      if (record.key === key) return undefined;
      if (keys.has(record.key)) {
        return { reason: `has the metric ${quote(record.key)} in two places`, hostile: false };
      }
      key = record.key;
      hold(costOf(key));
      keys.add(key);
      return undefined;
    },
    artifact: ({ path }) => {
      const problem = artifactPathProblem(path);
      if (problem !== undefined)
        return { reason: `has an artifact path ${quote(path)} that ${problem}`, hostile: true };
      if (paths.has(path)) return { reason: `has the artifact ${quote(path)} twice`, hostile: false };
      hold(costOf(path));
      paths.add(path);
      return undefined;
    },
  };
}

/** Of a text in a set. */
const costOf = ({ length }: string) => 100 + 2 * length;

const quote = (text: string) => JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
