import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { z } from 'zod';

/** A request on its way to the server. */
export interface WatchedRequest {
  /** From 0. */
  readonly number: number;
  /** `POST runs/create`. */
  readonly route: string;
  /** Metric points that it carries. */
  readonly points: number;
}

/** A proxy in front of a real server that counts, and lets a test step in between. */
export interface WatchedProxy {
  readonly url: string;
  readonly requests: WatchedRequest[];
  /** Called for each request, `before` the server hears of it and `after` it answered; the proxy waits for it. */
  watch(watcher: (request: WatchedRequest, moment: 'before' | 'after') => Promise<void> | void): void;
  /** Forgets the requests and the watcher. */
  reset(): void;
  close(): Promise<void>;
}

const batch = z.object({ metrics: z.array(z.unknown()).default([]) });

/** Starts the proxy on a free port of this machine. */
export async function startWatchedProxy(upstream: string): Promise<WatchedProxy> {
  const agent = new Agent({ keepAlive: true });
  let requests: WatchedRequest[] = [];
  let watcher: Parameters<WatchedProxy['watch']>[0] | undefined;

  const server = createServer(async (incoming, outgoing) => {
    outgoing.on('error', () => undefined);
    try {
      const body = await buffer(incoming);
      const path = new URL(incoming.url ?? '/', upstream).pathname;
      const route = `${incoming.method} ${path.replace(/^\/(ajax-)?api\/[\d.]+\/(mlflow\/)?/, '')}`;
      const points = route.endsWith('runs/log-batch')
        ? batch.parse(JSON.parse(body.toString())).metrics.length
        : 0;
      const seen = { number: requests.length, route, points };
      requests.push(seen);
      const watching = watcher;
      await watching?.(seen, 'before');
      const { method, headers } = incoming;
      const passed = request(new URL(incoming.url ?? '/', upstream), { method, headers, agent });
      const answered = once(passed, 'response');
      passed.end(body);
      const [answer]: IncomingMessage[] = await answered;
      if (answer === undefined) throw new Error('no answer');
      const content = await buffer(answer);
      await watching?.(seen, 'after');
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers).end(content);
    } catch {
      outgoing.destroy();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z.object({ port: z.int() }).parse(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests;
    },
    watch(next) {
      watcher = next;
    },
    reset() {
      requests = [];
      watcher = undefined;
    },
    async close() {
      server.closeAllConnections();
      agent.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
