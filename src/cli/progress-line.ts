import { createLogUpdate } from 'log-update';
import type { Progress } from '../job/progress.ts';
import { plainText } from '../util/plain-text.ts';
import { cut } from './cut.ts';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Io } from './io.ts';

/** Redraws at most so often, in ms. */
const INTERVAL = 200;
/** Where stderr is no terminal (a log), a line is written so often, in ms. */
const LOG_INTERVAL = 30_000;

/** The progress display: one line on a terminal, elsewhere a line every 30 s; nothing when `quiet`. */
export interface ProgressLine<T> {
  show(progress: T): void;
  end(): void;
}

/** A {@link ProgressLine} on stderr, unless requests are shown there. `text`: what it says after so many seconds; `clock`: ms. */
export function progressLine<T>(
  { stderr, debug = false }: Pick<Io, 'stderr' | 'debug'>,
  quiet: boolean,
  text: (progress: T, seconds: number) => string,
  clock: () => number = () => performance.now(),
): ProgressLine<T> {
  if (quiet || debug) return { show: () => undefined, end: () => undefined };
  const started = clock();
  const isTerminal = stderr.isTTY === true;
  const update = isTerminal ? createLogUpdate(stderr) : undefined;
  let drawn = isTerminal ? Number.NEGATIVE_INFINITY : started;
  return {
    show(progress) {
      const now = clock();
      if (now - drawn < (isTerminal ? INTERVAL : LOG_INTERVAL)) return;
      drawn = now;
      const line = text(progress, (now - started) / 1000);
      // A line as wide as the terminal wraps on some.
      if (update !== undefined) update(cut(line, (stderr.columns ?? 80) - 1));
      else stderr.write(`${line}\n`);
    },
    end: () => update?.clear(),
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
