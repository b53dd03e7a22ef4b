import type { ServeOptions } from '../../src/serve/serve.ts';
import { serve } from '../../src/serve/serve.ts';

/** A place that is served in this process. */
export interface Served {
  readonly url: string;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Serves a place on a free port until it is disposed of. */
export async function servePlace(location: string, options: ServeOptions = {}): Promise<Served> {
  const abort = new AbortController();
  const { promise: ready, resolve, reject } = Promise.withResolvers<string>();
  const done = serve(location, {
    environment: {},
    ui: false,
    ...options,
    port: 0,
    signal: abort.signal,
    onReady: ({ url }) => resolve(url),
  });
  done.catch(reject);
  return {
    url: await ready,
    async [Symbol.asyncDispose]() {
      abort.abort();
      await done;
    },
  };
}
