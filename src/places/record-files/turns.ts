/** A place in the row: work begins when all before it are through, and `release` lets the next one begin. */
export interface Turn {
  readonly begins: Promise<void>;
  release(): void;
}

/** A row of turns, in the order in which they were taken; `all` is settled when every turn taken so far is through. */
export function createTurns(): { take(): Turn; all(): Promise<void> } {
  let last: Promise<void> = Promise.resolve();
  return {
    take: () => {
      const begins = last;
      const { promise, resolve } = Promise.withResolvers<void>();
      last = Promise.all([begins, promise]).then(() => undefined);
      return { begins, release: resolve };
    },
    all: () => last,
  };
}
