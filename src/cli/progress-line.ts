import { createLogUpdate } from 'log-update';
import type { Progress } from '../job/progress.ts';
import { plainText } from '../util/plain-text.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Io } from './io.ts';

/** Redraws at most so often, in ms. */
const INTERVAL = 200;

/** The progress display: one line on a terminal, nothing when stderr is piped or `quiet`. */
export interface ProgressLine {
  show(progress: Progress): void;
  end(): void;
}

/** A {@link ProgressLine} on `stderr`. */
export function progressLine(stderr: Io['stderr'], quiet: boolean): ProgressLine {
  if (quiet || stderr.isTTY !== true) return { show: () => undefined, end: () => undefined };
  const update = createLogUpdate(stderr);
  const started = performance.now();
  let drawn = Number.NEGATIVE_INFINITY;
  return {
    show(progress) {
      const now = performance.now();
      if (now - drawn < INTERVAL) return;
      drawn = now;
      update(progressText(progress, (now - started) / 1000));
    },
    end: () => update.clear(),
  };
}

/** The line itself; `seconds` since the start. */
export function progressText(
  { experiment, experiments, runs, points, bytes }: Progress,
  seconds: number,
): string {
  const rate = (amount: number) => (seconds > 0 ? amount / seconds : 0);
  const left = remaining(experiments, runs, seconds);
  return [
    `experiment ${experiments.done}/${experiments.total} ${plainText(experiment, 100)}`,
    `runs ${formatCount(runs.done)}/${formatCount(runs.seen)}${runs.failed > 0 ? ` (${runs.failed} failed)` : ''}`,
    `${formatCount(points)} points (${formatCount(Math.round(rate(points)))}/s)`,
    `${formatBytes(bytes)} (${formatBytes(rate(bytes))}/s)`,
    ...(left === undefined ? [] : [`~${formatDuration(left)} left`]),
  ].join(' · ');
}

/** Seconds to go, if experiments to come are like those that are done. */
function remaining(
  experiments: Progress['experiments'],
  runs: Progress['runs'],
  seconds: number,
): number | undefined {
  const done = runs.done + runs.failed;
  if (done === 0 || seconds < 2) return undefined;
  const perExperiment = runs.seen / Math.max(1, experiments.done);
  const all = Math.max(runs.seen, perExperiment * experiments.total);
  return (seconds / done) * (all - done);
}
