import type { Reader } from '../places/place.ts';
import type { ChosenRun } from './chosen-runs.ts';

/** Runs whose histories are fetched together. */
const CHUNK = 100;

/** The same runs in chunks that the reader hears of before, so that histories are fetched together. */
export async function* announced(
  reader: Reader,
  runs: AsyncIterable<ChosenRun> | Iterable<ChosenRun>,
): AsyncGenerator<ChosenRun> {
  let chunk: ChosenRun[] = [];
  const ready = () => {
    const full = chunk;
    chunk = [];
    if (full.length > 0) reader.prefetch?.(full.map(({ source }) => source));
    return full;
  };
  for await (const run of runs) {
    chunk.push(run);
    if (chunk.length >= CHUNK) yield* ready();
  }
  yield* ready();
}
