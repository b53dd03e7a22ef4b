import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { MlferryError } from '../../../util/errors.ts';
import { redact, secretRemover } from '../../../util/redact.ts';
import { parseRetryAfter, pause, type RetryPolicy, retryDelay } from '../../../util/retry.ts';
import { TOOL_VERSION } from '../../../util/tool-version.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { createAgent } from './agent.ts';
import { type Credentials, missingCredentials } from './auth.ts';
import { readStart } from './body.ts';
import { createFlow, realClock, type Slot } from './flow.ts';
import { type Problem, type RequestContext, refusal, transportProblem } from './problems.ts';
import type { Endpoint } from './routes.ts';

/** Query parameters; arrays become repeated keys, `undefined` is left out. */
export type Query = Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;

/** One HTTP request below the base URL. */
export interface HttpRequest {
  readonly route: Endpoint;
  readonly query?: Query | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  /** A fresh body for each try. */
  readonly body?: () => Promise<Readable | string | Uint8Array>;
  /** `false`: not sent again where the server may have done it already. */
  readonly repeat?: boolean;
  /** Most repeats, where fewer than the settings allow. */
  readonly repeats?: number | undefined;
  /** The server is known to be MLflow: an answer that is no JSON was cut short or came from something in between. */
  readonly known?: boolean;
  /** Whether a GET may be redirected to another origin (which never sees the credentials). */
  readonly elsewhere?: boolean;
}

/** HTTP with one server: connections, credentials, redirects, repeats. */
export interface Exchange {
  /** Without a slash at the end of its text, without credentials. */
  readonly base: URL;
  readonly location: string;
  readonly backoff: RetryPolicy;
  /** Sends until `take` has the value of a good answer, or until trying again is of no use: then throws. */
  send<T>(
    request: HttpRequest,
    take: (response: Dispatcher.ResponseData, context: RequestContext) => Promise<T>,
  ): Promise<T>;
  /** Requests sent so far, repeats and redirects included. */
  requests(): number;
  close(): Promise<void>;
}

/** ms that a changing request under way has to hear its answer after an interrupt: else nobody knows whether it landed. */
const GRACE = 5_000;

/** Where requests go and with what. */
interface ServerAddress {
  readonly url: URL;
  readonly workspace: string | undefined;
  readonly credentials: Credentials | undefined;
}

/** Prepares the HTTP side of a server place; sends nothing yet. Throws CREDENTIALS, USAGE. */
export function createExchange(place: ServerAddress, options: PlaceOptions): Exchange {
  const { environment } = options;
  const closing = new AbortController();
  const signal = AbortSignal.any([options.signal, closing.signal]);
  const { credentials } = place;
  const patient = AbortSignal.any([afterGrace(options.signal), closing.signal]);
  const base = baseUrl(place.url);
  const prefix = withoutSlash(base.href);
  const workspace = place.workspace === undefined ? '' : `?workspace=${encodeURIComponent(place.workspace)}`;
  const location = `${prefix}${workspace}`;
  const timeout = milliseconds(environment.MLFLOW_HTTP_REQUEST_TIMEOUT, 120);
  const agent = createAgent(options, timeout);
  // Connections to any other origin: the client certificate is a credential too.
  const foreign = createAgent(options, timeout, false);
  const missing = missingCredentials(options);
  const withoutSecrets = secretRemover(credentials?.secrets ?? []);
  const backoff: RetryPolicy = {
    retries: Math.min(milliseconds(environment.MLFLOW_HTTP_REQUEST_MAX_RETRIES, 7) / 1000, 9),
    factor: milliseconds(environment.MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR, 0.5),
    jitter: milliseconds(environment.MLFLOW_HTTP_REQUEST_BACKOFF_JITTER, 1),
    cap: 120_000,
  };
  const ours = {
    'user-agent': `mlferry/${TOOL_VERSION}`,
    ...(credentials === undefined ? {} : { authorization: credentials.authorization }),
    ...(place.workspace === undefined ? {} : { 'x-mlflow-workspace': place.workspace }),
  };
  const { concurrency, maxRequestsPerSecond, bandwidth } = options;
  const flow = createFlow({ concurrency, maxRequestsPerSecond, clock: realClock(signal) });
  let sent = 0;

  async function send<T>(
    request: HttpRequest,
    take: (response: Dispatcher.ResponseData, context: RequestContext) => Promise<T>,
  ): Promise<T> {
    const context = {
      name: `${request.route.method} ${request.route.path} at ${location}`,
      credentials: credentials?.origin,
      missing,
    };
    for (let attempt = 0; ; attempt++) {
      const outcome = await once(request, context, take);
      if ('value' in outcome) return outcome.value;
      const { error, repeats, perhapsDone, retryAfter } = outcome.problem;
      const most = Math.min(backoff.retries, repeats, request.repeats ?? backoff.retries);
      if (most > 0 && !flow.takeRepeat()) throw outOfRepeats(error);
      if (attempt >= most || (request.repeat === false && perhapsDone)) throw error;
      await pause(retryDelay(backoff, attempt, retryAfter), signal).catch((reason: unknown) => {
        throw transportProblem(context, reason).error;
      });
    }
  }

  async function once<T>(
    request: HttpRequest,
    context: RequestContext,
    take: (response: Dispatcher.ResponseData, context: RequestContext) => Promise<T>,
  ): Promise<{ value: T } | { problem: Problem }> {
    let slot: Slot | undefined;
    let response: Dispatcher.ResponseData | undefined;
    let problem: Problem;
    try {
      slot = await flow.enter(request.route.class);
      response = await follow(request, context);
      const { statusCode: status, body } = response;
      // A body that is handed on keeps its place until it was read or dropped.
      body.once('close', slot.leave);
      if (status >= 200 && status < 300) {
        const value = await take(response, context);
        slot.good();
        await spend(request.route, answerLength(response));
        return { value };
      }
      const retryAfter = parseRetryAfter(headerText(response, 'retry-after'), Date.now());
      problem = refusal(context, status, withoutSecrets(await readStart(body)));
      if (retryAfter !== undefined) problem = { ...problem, retryAfter };
    } catch (error) {
      problem = request.known && isUnreadable(error) ? unreadable(error) : transportProblem(context, error);
    }
    const { retryAfter } = problem;
    if (problem.overload) slot?.overloaded(retryAfter && Math.min(retryAfter, backoff.cap));
    response?.body.destroy();
    slot?.leave();
    return { problem };
  }

  /** Waits for what an exchange takes of the bandwidth. Files are counted where they flow, between the two places. */
  async function spend({ class: kind }: Endpoint, bytes: number): Promise<void> {
    if (kind !== 'bytes' && bytes > 0) await bandwidth?.take(bytes, signal);
  }

  /** One try, through redirects where they are allowed. */
  async function follow(request: HttpRequest, context: RequestContext): Promise<Dispatcher.ResponseData> {
    const { method, path, changes } = request.route;
    const body = await request.body?.();
    if (typeof body === 'string' || body instanceof Uint8Array) await spend(request.route, body.length);
    signal.throwIfAborted();
    let url = new URL(`${prefix}${path}${queryText(request.query)}`);
    for (let hops = 0; ; hops++) {
      sent++;
      const own = url.origin === base.origin;
      const response = await (own ? agent : foreign).request({
        origin: url.origin,
        path: `${url.pathname}${url.search}`,
        method,
        headers: { ...request.headers, ...(own ? ours : {}) },
        signal: changes ? patient : signal,
        ...(body === undefined ? {} : { body }),
      });
      // Who reads a body sees its error; without a listener, a body that is dropped unread would end the process.
      response.body.on('error', () => undefined);
      const redirected = response.statusCode >= 300 && response.statusCode < 400;
      const target = redirected ? headerText(response, 'location') : undefined;
      if (target === undefined) return response;
      await response.body.dump();
      const next = URL.canParse(target, url.href) ? new URL(target, url.href) : undefined;
      const allowed =
        next !== undefined &&
        (next.origin === base.origin || (request.elsewhere === true && isAsSafe(url, next)));
      if (method !== 'GET' || !allowed || hops >= 5) {
        const where = next === undefined ? 'nowhere' : redact(`${next.origin}${next.pathname}`);
        throw new MlferryError('NOT_MLFLOW', `${context.name}: redirected to ${where}`, {
          hint: 'If the server moved, or is reached by https only, give that address. If it is a login page, the server wants a token.',
        });
      }
      url = next;
    }
  }

  return {
    base,
    location,
    backoff,
    send,
    requests: () => sent,
    close: async () => {
      closing.abort();
      await Promise.all([agent.destroy(), foreign.destroy()]);
    },
  };
}

function isUnreadable(error: unknown): error is MlferryError {
  return error instanceof MlferryError && error.code === 'NOT_MLFLOW' && error.cause instanceof SyntaxError;
}

function unreadable({ message, cause }: MlferryError): Problem {
  const hint = 'Something between here and the server answers in its place or cuts its answers short.';
  return { error: new MlferryError('UNAVAILABLE', message, { cause, hint }), repeats: 2, perhapsDone: true };
}

function outOfRepeats(last: MlferryError): MlferryError {
  return new MlferryError('UNAVAILABLE', `Too many requests had to be repeated; the last: ${last.message}`, {
    cause: last,
    hint: 'Run the same command again when the server is well; --max-requests-per-second spares it.',
  });
}

/** Aborts {@link GRACE} after `signal` does. */
function afterGrace(signal: AbortSignal): AbortSignal {
  const late = new AbortController();
  const wait = () => void setTimeout(() => late.abort(), GRACE).unref();
  if (signal.aborted) wait();
  else signal.addEventListener('abort', wait, { once: true });
  return late.signal;
}

function baseUrl(url: URL): URL {
  const base = new URL(url.href);
  base.username = '';
  base.password = '';
  base.search = '';
  base.hash = '';
  return new URL(withoutSlash(base.href));
}

/** Whether a redirect stays HTTP, and encrypted where it was. */
function isAsSafe(from: URL, to: URL): boolean {
  return to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
}

function withoutSlash(text: string): string {
  return text.replace(/\/+$/, '');
}

function queryText(query: Query = {}): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    const values = typeof value === 'object' ? value : value === undefined ? [] : [value];
    for (const item of values) parameters.append(key, String(item));
  }
  return parameters.size === 0 ? '' : `?${parameters}`;
}

/** ms of a setting in seconds (MLflow's variables hold numbers); what is no number counts as not set. */
function milliseconds(text: string | undefined, fallback: number): number {
  const number = text === undefined || text.trim() === '' ? Number.NaN : Number(text);
  return (Number.isFinite(number) && number >= 0 ? number : fallback) * 1000;
}

/** Bytes of an answer, as its head tells. */
function answerLength(response: Dispatcher.ResponseData): number {
  const length = Number(headerText(response, 'content-length') ?? 0);
  return Number.isSafeInteger(length) ? length : 0;
}

function headerText(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}
