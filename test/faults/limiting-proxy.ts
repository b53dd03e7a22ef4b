import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { forward } from './forward.ts';

/** A proxy that limits the size of requests as nginx does: 413 by the head of a request, before its body is read. */
export interface LimitingProxy {
  readonly url: string;
  /** Most bytes of a body; files of a path in `forbidden` are answered with 403. */
  limit: number;
  forbidden: RegExp;
  close(): Promise<void>;
}

/** Starts the proxy on a free loopback port. */
export async function startLimitingProxy(upstream: string): Promise<LimitingProxy> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, outgoing) => {
    const refuse = (status: number, text: string) => {
      outgoing.writeHead(status, { connection: 'close', 'content-type': 'text/html' });
      outgoing.end(`<html><head><title>${text}</title></head></html>`);
      incoming.resume();
    };
    if (Number(incoming.headers['content-length'] ?? 0) > proxy.limit)
      refuse(413, '413 Request Entity Too Large');
    else if (incoming.method === 'PUT' && proxy.forbidden.test(incoming.url ?? ''))
      refuse(403, '403 Forbidden');
    else {
      buffer(incoming)
        .then((body) => forward(upstream, agent, incoming, body))
        .then(({ status, headers, body }) => outgoing.writeHead(status, headers).end(body))
        .catch(() => outgoing.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  const proxy: LimitingProxy = {
    url: `http://127.0.0.1:${port}`,
    limit: Number.POSITIVE_INFINITY,
    forbidden: /^$/,
    async close() {
      server.closeAllConnections();
      server.close();
      agent.destroy();
    },
  };
  return proxy;
}
