import { once } from 'node:events';
import { Agent, createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Answer, forward } from './forward.ts';
import { firstHalf, pointsIn } from './log-batch-body.ts';

/** What the proxy does with a request instead of passing it on and the answer back. */
export type Action =
  | { readonly do: 'pass' }
  /** Answers itself; the server hears nothing. */
  | {
      readonly do: 'answer';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Record<string, string>;
    }
  /** Cuts the connection; the server hears nothing. */
  | { readonly do: 'reset' }
  /** Keeps the connection open without a word until the client leaves; the server hears nothing. */
  | { readonly do: 'hang' }
  /** The server does it; the client gets this status, or a cut connection. */
  | { readonly do: 'commit'; readonly reply: number | 'reset' }
  /** The server gets the first half of a `runs/log-batch` (its params and tags, or half of its points). */
  | { readonly do: 'commit half'; readonly reply: number | 'reset' }
  /** The client gets `reply` at once; the server gets the request right after `requests` more that contain `after`. */
  | {
      readonly do: 'commit late';
      readonly reply: number | 'reset';
      readonly after: string;
      readonly requests: number;
    }
  /** The true head and half of the body; then the connection is cut, or stays open without a word. */
  | { readonly do: 'half body'; readonly reply: 'cut' | 'hang' }
  /** A whole answer whose head fits its body, but the body is another one. */
  | { readonly do: 'alter body'; readonly alter: (body: Buffer) => Buffer }
  /** The true head and body, and more bytes than the head announces. */
  | { readonly do: 'long body' };

/** One entry of a script: the action for some of the requests of a route. Of several that fit the first one counts. */
export interface Fault {
  /** Part of a request's name: `POST runs/create`, `PUT mlflow-artifacts/artifacts`, '' for all. */
  readonly route: string;
  /** Which of the requests of that route, from 0; `every` = all. Default 0. */
  readonly nth?: number | 'every';
  /** How many from `nth` on. Default 1. */
  readonly times?: number;
  readonly action: Action;
}

/** A request that came to the proxy. */
export interface SeenRequest {
  /** From 0, of this proxy. */
  readonly number: number;
  /** `POST runs/log-batch`; of artifacts the route without the path of the file. */
  readonly route: string;
  /** Path and query as they came. */
  readonly path: string;
  readonly body: Buffer;
  /** Metric points in a `runs/log-batch`. */
  readonly points: number;
  readonly action: Action['do'];
}

/** When a {@link Watcher} is called: the server has not heard of the request yet, or has answered it and the client does not know. */
export type Moment = 'before' | 'after';

/** Called for each request; the proxy waits for it. `false` from `before`: the request goes no further. */
export type Watcher = (request: SeenRequest, moment: Moment) => Promise<boolean> | boolean;

/** A proxy in front of a real server that does what a server cannot be told to do. */
export interface FaultProxy {
  readonly url: string;
  /** All requests since the start or the last `play`. */
  readonly requests: SeenRequest[];
  /** Requests by route, for messages and counts. */
  counts(): Record<string, number>;
  /** Forgets the requests so far, and follows this script from now on. */
  play(faults: readonly Fault[], watcher?: Watcher): void;
  /** How many late requests the server got by now. */
  lateRequests(): number;
  close(): Promise<void>;
}

/** Starts a proxy on a free loopback port, in this process. It passes everything on until `play` says otherwise. */
export async function startFaultProxy(upstream: string): Promise<FaultProxy> {
  const agent = new Agent({ keepAlive: true });
  let requests: SeenRequest[] = [];
  let script: Array<{ fault: Fault; seen: number }> = [];
  let watcher: Watcher | undefined;
  let late: Array<{ after: string; left: number; send: () => Promise<unknown> }> = [];
  let lateSent = 0;

  const server = createServer((incoming, outgoing) => {
    handle(incoming, outgoing).catch(() => outgoing.destroy());
  });

  async function handle(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    outgoing.on('error', () => undefined);
    const body = await buffer(incoming);
    const path = incoming.url ?? '/';
    const route = routeOf(incoming.method ?? 'GET', path);
    const action = actionFor(route);
    const seen = {
      number: requests.length,
      ...{ route, path, body, action: action.do },
      points: route === 'POST runs/log-batch' ? pointsIn(body) : 0,
    };
    requests.push(seen);
    const watch = watcher;
    if ((await watch?.(seen, 'before')) === false) {
      outgoing.destroy();
      return;
    }
    const send = (part = body) => forward(upstream, agent, incoming, part);
    const due = dueAfter(route);
    const after = async () => {
      await watch?.(seen, 'after');
      await Promise.all(due.splice(0).map((sendLate) => sendLate()));
    };
    await act(action, { incoming, outgoing, send, body, after });
    await Promise.all(due.map((sendLate) => sendLate()));
  }

  function actionFor(route: string): Action {
    let chosen: Action | undefined;
    for (const entry of script) {
      const { nth = 0, times = 1, action } = entry.fault;
      if (!route.includes(entry.fault.route)) continue;
      const number = entry.seen++;
      if (nth === 'every' || (number >= nth && number < nth + times)) chosen ??= action;
    }
    return chosen ?? { do: 'pass' };
  }

  /** The late requests that this one sets free: the server gets them between its answer and the client's hearing it. */
  function dueAfter(route: string): Array<() => Promise<void>> {
    for (const entry of late) if (route.includes(entry.after)) entry.left--;
    const due = late.filter(({ left }) => left <= 0);
    late = late.filter(({ left }) => left > 0);
    return due.map(({ send }) => async () => {
      await send();
      lateSent++;
    });
  }

  interface Exchange {
    readonly incoming: IncomingMessage;
    readonly outgoing: ServerResponse;
    readonly body: Buffer;
    send(part?: Buffer): Promise<Answer>;
    after(): Promise<void>;
  }

  async function act(action: Action, { incoming, outgoing, body, send, after }: Exchange): Promise<void> {
    const end = (reply: number | 'reset') => {
      if (reply === 'reset') outgoing.destroy();
      else fail(outgoing, reply);
    };
    switch (action.do) {
      case 'answer': {
        const headers = { 'content-type': 'application/json', ...action.headers };
        outgoing.writeHead(action.status, headers).end(action.body ?? errorBody(action.status));
        return;
      }
      case 'reset':
        outgoing.destroy();
        return;
      case 'hang':
        await clientLeaves(incoming, outgoing);
        return;
      case 'commit':
        await send();
        await after();
        end(action.reply);
        return;
      case 'commit half':
        await send(firstHalf(body));
        await after();
        end(action.reply);
        return;
      case 'commit late':
        late.push({ after: action.after, left: action.requests, send });
        end(action.reply);
        return;
      case 'pass':
      case 'alter body': {
        const answer = await send();
        await after();
        const changed = action.do === 'pass' ? answer.body : action.alter(answer.body);
        outgoing
          .writeHead(answer.status, { ...answer.headers, 'content-length': String(changed.length) })
          .end(changed);
        return;
      }
      case 'half body': {
        const answer = await send();
        await after();
        outgoing.writeHead(answer.status, {
          ...answer.headers,
          'content-length': String(answer.body.length),
        });
        // An empty body has no half: its head is all there is to keep back.
        outgoing.write(answer.body.subarray(0, answer.body.length >> 1));
        if (action.reply === 'hang') await clientLeaves(incoming, outgoing);
        else outgoing.socket?.end(() => outgoing.destroy());
        return;
      }
      case 'long body': {
        const answer = await send();
        await after();
        outgoing.writeHead(answer.status, {
          ...answer.headers,
          'content-length': String(answer.body.length),
        });
        outgoing.write(answer.body);
        outgoing.socket?.write('more bytes than announced');
        outgoing.end();
        return;
      }
    }
  }

  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = addressOf(server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    get requests() {
      return requests;
    },
    counts: () =>
      Object.fromEntries(
        [...Map.groupBy(requests, ({ route }) => route)].map(([route, all]) => [route, all.length]).sort(),
      ),
    play(faults, watch) {
      requests = [];
      script = faults.map((fault) => ({ fault, seen: 0 }));
      watcher = watch;
      late = [];
      lateSent = 0;
    },
    lateRequests: () => lateSent,
    async close() {
      server.closeAllConnections();
      agent.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** A request's method and route, without the API's prefix and without the path of a file. */
function routeOf(method: string, path: string): string {
  const { pathname } = new URL(path, 'http://proxy');
  const route = pathname
    .replace(/^\/+/, '')
    .replace(/^(ajax-)?api\/[\d.]+\/(mlflow\/)?/, '')
    .replace(/^(mlflow-artifacts\/artifacts)\/.*/, '$1');
  return `${method} ${route}`;
}

function fail(outgoing: ServerResponse, status: number): void {
  outgoing.writeHead(status, { 'content-type': 'application/json' }).end(errorBody(status));
}

function errorBody(status: number): string {
  return JSON.stringify({ error_code: 'INTERNAL_ERROR', message: `made up by the proxy (${status})` });
}

/** Waits until the client has had enough. */
async function clientLeaves(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  if (incoming.socket.destroyed) return;
  await once(incoming.socket, 'close');
  outgoing.destroy();
}

function addressOf(address: string | AddressInfo | null): AddressInfo {
  if (address === null || typeof address === 'string') throw new Error('The proxy does not listen on a port');
  return address;
}
