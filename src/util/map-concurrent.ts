import pLimit from 'p-limit';

/**
 * Runs `task` over `items`, at most `concurrency` at once, pulling the next item only when a slot is free, so
 * neither the items nor the waiting calls pile up. Tasks start in the order of the items. The first rejection
 * stops the intake, waits for what is running, and is thrown.
 */
export async function mapConcurrent<T>(
  items: AsyncIterable<T> | Iterable<T>,
  concurrency: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const limit = pLimit(concurrency);
  const running = new Set<Promise<void>>();
  let failed = false;
  let failure: unknown;
  const note = (error: unknown) => {
    if (!failed) failure = error;
    failed = true;
  };
  try {
    for await (const item of items) {
      if (failed) break;
      const job: Promise<void> = limit(task, item)
        .catch(note)
        .finally(() => running.delete(job));
      running.add(job);
      if (running.size >= concurrency) await Promise.race(running);
      if (failed) break;
    }
  } catch (error) {
    note(error);
  }
  await Promise.all(running);
  if (failed) throw failure;
}
