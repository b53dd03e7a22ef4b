import type { RunReader } from '../places/place.ts';

/** A source run and its copy; without one it is only in the source. */
export interface RunPair {
  readonly source: RunReader;
  readonly target: RunReader | undefined;
}

/**
 * Brings source runs and their copies together. Both sides come in the order of their start times, which copies keep, so
 * only runs that start at the same time, or whose time was changed, wait in memory for their partner.
 */
export async function* pairRuns(
  source: AsyncIterable<RunReader>,
  target: AsyncIterable<RunReader>,
  copyOf: (source_id: string) => string | undefined,
  isCopy: (target_id: string) => boolean,
): AsyncGenerator<RunPair> {
  const waiting = new Map<string, RunReader>();
  const copies = target[Symbol.asyncIterator]();
  try {
    for await (const run of source) {
      const id = copyOf(run.run.run_id);
      while (id !== undefined && !waiting.has(id)) {
        const next = await copies.next();
        if (next.done === true) break;
        if (isCopy(next.value.run.run_id)) waiting.set(next.value.run.run_id, next.value);
      }
      const copy = id === undefined ? undefined : waiting.get(id);
      if (id !== undefined) waiting.delete(id);
      yield { source: run, target: copy };
    }
  } finally {
    await copies.return?.();
  }
}

/** Items in chunks of at most `size`. */
export async function* chunksOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let chunk: T[] = [];
  for await (const item of items) {
    chunk.push(item);
    if (chunk.length < size) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length > 0) yield chunk;
}
