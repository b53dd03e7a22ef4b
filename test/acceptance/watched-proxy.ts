import { type Moment, type SeenRequest, startFaultProxy } from '../faults/proxy.ts';

/** A proxy in front of a real server that counts, and lets a test step in between; it does no harm itself. */
export interface WatchedProxy {
  readonly url: string;
  readonly requests: readonly SeenRequest[];
  /** Called for each request, `before` the server hears of it and `after` it answered; the proxy waits for it. */
  watch(watcher: (request: SeenRequest, moment: Moment) => Promise<void> | void): void;
  /** Forgets the requests and the watcher. */
  reset(): void;
  close(): Promise<void>;
}

/** Starts the proxy on a free port of this machine. Unlike a script of faults, a new watcher keeps the count. */
export async function startWatchedProxy(upstream: string): Promise<WatchedProxy> {
  const proxy = await startFaultProxy(upstream);
  let watcher: Parameters<WatchedProxy['watch']>[0] | undefined;
  /** A request stays with the watcher that saw it come. */
  const watchers = new WeakMap<SeenRequest, typeof watcher>();
  const reset = () => {
    watcher = undefined;
    proxy.play([], async (request, moment) => {
      if (moment === 'before') watchers.set(request, watcher);
      await watchers.get(request)?.(request, moment);
      return true;
    });
  };
  reset();
  return {
    url: proxy.url,
    get requests() {
      return proxy.requests;
    },
    watch(next) {
      watcher = next;
    },
    reset,
    close: () => proxy.close(),
  };
}
