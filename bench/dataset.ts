/**
 * The set of runs that is measured, the same each time: every value follows from the run's number. No two files are
 * alike, so that an archive gains nothing by keeping equal contents once.
 */

/** Sizes of the set, per run except `runs`. */
export const SIZES = { runs: 200, keys: 20, points: 100, params: 20, tags: 10, files: 5 };

/** Paths of a run's files and their sizes in bytes: two directories. */
const FILES: ReadonlyArray<readonly [path: string, size: number]> = [
  ['config.json', 600],
  ['predictions.csv', 12_000],
  ['model/weights.bin', 8_000],
  ['model/conda.yaml', 400],
  ['model/python_env.yaml', 150],
];

const FIRST_START = 1_700_000_000_000;

/** One run to be made. Times are ms since the epoch. */
export interface BenchRun {
  readonly name: string;
  readonly startTime: number;
  readonly endTime: number;
  readonly params: ReadonlyArray<{ key: string; value: string }>;
  readonly tags: ReadonlyArray<{ key: string; value: string }>;
  readonly metrics: ReadonlyArray<{ key: string; value: number; timestamp: number; step: number }>;
  readonly files: ReadonlyArray<{ path: string; bytes: Buffer }>;
}

/** The run of that number, from 0. */
export function benchRun(number: number): BenchRun {
  const random = randomNumbers(number + 1);
  const startTime = FIRST_START + number * 60_000;
  const metrics = range(SIZES.keys).flatMap((key) =>
    range(SIZES.points).map((step) => ({
      key: `metric_${String(key).padStart(2, '0')}`,
      value: random(),
      timestamp: startTime + step * 500,
      step,
    })),
  );
  return {
    name: `run-${String(number).padStart(4, '0')}`,
    startTime,
    endTime: startTime + 55_000,
    params: range(SIZES.params).map((key) => ({ key: `param_${key}`, value: String(random()) })),
    tags: range(SIZES.tags).map((key) => ({ key: `tag_${key}`, value: `value ${random()}` })),
    metrics,
    files: FILES.map(([path, size]) => ({ path, bytes: text(random, size) })),
  };
}

/** 0 … length - 1. */
export function range(length: number): number[] {
  return Array.from({ length }, (_, index) => index);
}

/** Digits and spaces, about half as long when compressed. */
function text(random: () => number, size: number): Buffer {
  let content = '';
  while (content.length < size) content += `${random()} `;
  return Buffer.from(content.slice(0, size));
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
