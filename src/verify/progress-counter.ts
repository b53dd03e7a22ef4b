import type { Progress } from '../job/progress.ts';

/** Where a verification stands, and what it has read. */
export interface ProgressCounter {
  experiments(total: number): void;
  experiment(name: string): void;
  experimentDone(): void;
  runSeen(): void;
  runDone(failed: boolean): void;
  /** Points and bytes as they flow. */
  amount(points: number, bytes: number): void;
  /** A run was read to its end. */
  checked(amount: { points: number; files: number; bytes: number }): void;
  total(): { points: number; artifacts: number; artifact_bytes: number };
}

/** A counter that tells `onProgress` of every change. */
export function createProgressCounter(
  onProgress: ((progress: Progress) => void) | undefined,
): ProgressCounter {
  let name = '';
  const experiments = { done: 0, total: 0 };
  const runs = { seen: 0, done: 0, failed: 0 };
  const flow = { points: 0, bytes: 0 };
  const total = { points: 0, artifacts: 0, artifact_bytes: 0 };
  const tell = () =>
    onProgress?.({ experiment: name, experiments: { ...experiments }, runs: { ...runs }, ...flow });
  return {
    experiments(count) {
      experiments.total = count;
      tell();
    },
    experiment(current) {
      name = current;
      tell();
    },
    experimentDone() {
      experiments.done += 1;
      tell();
    },
    runSeen() {
      runs.seen += 1;
      tell();
    },
    runDone(failed) {
      runs[failed ? 'failed' : 'done'] += 1;
      tell();
    },
    amount(points, bytes) {
      flow.points += points;
      flow.bytes += bytes;
      tell();
    },
    checked({ points, files, bytes }) {
      total.points += points;
      total.artifacts += files;
      total.artifact_bytes += bytes;
    },
    total: () => total,
  };
}
