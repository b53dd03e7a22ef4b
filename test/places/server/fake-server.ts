import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** A request that the fake server got. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

/** What the fake answers: JSON (any value), or what it does itself with the response. */
export type Answer = { json: unknown } | { respond(response: ServerResponse): void };

/** A stand-in for a tracking server, for what a real one cannot be told to do. */
export interface FakeServer {
  readonly url: URL;
  readonly seen: SeenRequest[];
  /** Those of `seen` with this end of their path. */
  to(path: string): SeenRequest[];
}

/** Any status with any body. */
export function status(code: number, body = '', headers: Record<string, string> = {}): Answer {
  return { respond: (response) => response.writeHead(code, headers).end(body) };
}

/** The connection is cut before an answer. */
export const cut: Answer = { respond: (response) => response.destroy() };

/**
 * Starts a fake that is MLflow enough to connect to; `route` answers first, `undefined` = as MLflow would. It ends with
 * the test that started it.
 */
export async function startFake(
  route: (request: SeenRequest, number: number) => Answer | undefined,
  version = '3.17.2',
): Promise<FakeServer> {
  const seen: SeenRequest[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('error', () => undefined);
    incoming.on('end', () => {
      const { pathname: path, searchParams: query } = new URL(incoming.url ?? '/', 'http://fake');
      const body = Buffer.concat(chunks).toString('utf8');
      const request = { method: incoming.method ?? '', path, query, headers: incoming.headers, body };
      const number = seen.filter((other) => other.path === path).length;
      seen.push(request);
      const answer = route(request, number) ?? usual(request, version);
      if ('respond' in answer) answer.respond(response);
      else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer.json));
    });
  });
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const url = new URL(`http://127.0.0.1:${address.port}`);
  return { url, seen, to: (path) => seen.filter((request) => request.path.endsWith(path)) };
}

function usual({ path }: SeenRequest, version: string): Answer {
  if (path.endsWith('/version')) return status(200, version);
  if (/\/(experiments|logged-models|registered-models|model-versions|traces)\/search$/.test(path))
    return { json: {} };
  return status(404, '<!doctype html><title>404 Not Found</title>', { 'content-type': 'text/html' });
}
