import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { withTempDir } from '../job/job-options.ts';
import { type OpenOptions, openReader } from '../job/open-place.ts';
import { MlferryError, systemCode } from '../util/errors.ts';
import { fieldsOfQuery } from './asked.ts';
import type { Context } from './context.ts';
import { servedFiles } from './files.ts';
import { createFoundIds } from './found-ids.ts';
import { createGuard, type GuardOptions, SAFE_HEADERS } from './guard.ts';
import { findMlflowPages, type MlflowPages } from './mlflow-pages.ts';
import { readBody } from './read-body.ts';
import { absent, asRefusal, invalid, Refusal } from './refusal.ts';
import type { Reply } from './reply.ts';
import { isApiPath, routeOf } from './routes.ts';
import { send, sendRefusal } from './send.ts';
import { createServedPlace } from './served-place.ts';

/** How a place is served. */
export interface ServeOptions extends OpenOptions, Partial<GuardOptions> {
  /** 0: any that is free. Default 5001. */
  readonly port?: number | undefined;
  /** Directory of an environment or package of MLflow whose pages are served below `/ui/`; default: what is installed, `false`: none. */
  readonly ui?: string | false | undefined;
  /** Called when requests are answered, with the address. */
  readonly onReady?:
    | ((address: { readonly url: string; readonly port: number; readonly pages: string | undefined }) => void)
    | undefined;
  /** Called with what went wrong while a request was answered, where it is not the request's fault. */
  readonly onTrouble?: ((message: string) => void) | undefined;
}

interface PageContext extends Context {
  readonly pages: MlflowPages | undefined;
}

/** Longest that a client may take for a request, and may take nothing of an answer, in ms. */
const REQUEST_TIMEOUT = 30_000;
const IDLE_TIMEOUT = 60_000;
const MOST_CONNECTIONS = 256;

/**
 * Serves any place, read only, as a tracking server of MLflow, until `signal` aborts. Throws what openReader does, and LOCATION where
 * it cannot listen there.
 */
export async function serve(location: string, options: ServeOptions = {}): Promise<void> {
  const {
    port = 5001,
    host = '127.0.0.1',
    allowedHosts = [],
    token,
    ui,
    onReady,
    onTrouble,
    ...place
  } = options;
  const pages = ui === false ? undefined : await findMlflowPages(ui, options.environment ?? process.env);
  await withTempDir(options.tempDir, async (tempDir) => {
    const served = createServedPlace(await openReader(location, place), tempDir);
    try {
      await served.ready();
      const context = { place: served, files: servedFiles(served), found: createFoundIds(), pages };
      const guard = createGuard({ host, allowedHosts, token });
      const server = createServer(
        { requestTimeout: REQUEST_TIMEOUT, headersTimeout: REQUEST_TIMEOUT },
        (request, response) => {
          void answer(request, response, context, guard, onTrouble);
        },
      );
      server.maxConnections = MOST_CONNECTIONS;
      server.setTimeout(IDLE_TIMEOUT);
      await listen(server, port, host);
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      onReady?.({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        port: bound,
        pages: pages?.directory,
      });
      await aborted(options.signal);
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    } finally {
      await served.close();
    }
  });
}

async function listen(server: Server, port: number, host: string): Promise<void> {
  const listening = once(server, 'listening');
  server.listen(port, host);
  try {
    await listening;
  } catch (error) {
    const reason = systemCode(error) === 'EADDRINUSE' ? 'another program listens there' : String(error);
    throw new MlferryError('LOCATION', `${host}:${port} cannot be listened on: ${reason}`, {
      cause: error,
      hint: 'Choose another --port or --host.',
    });
  }
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  context: PageContext,
  guard: (request: IncomingMessage) => void,
  onTrouble: ServeOptions['onTrouble'],
): Promise<void> {
  for (const [name, value] of Object.entries(SAFE_HEADERS)) response.setHeader(name, value);
  try {
    guard(request);
    await send(request, response, await replyTo(request, context));
  } catch (error) {
    const refusal = asRefusal(error);
    if (refusal.status >= 500 || response.headersSent)
      onTrouble?.(`${request.method} ${request.url}: ${refusal.message}`);
    if (response.headersSent) response.destroy();
    else sendRefusal(response, refusal);
  }
}

/** Below here are the pages of MLflow, and all that they ask. */
const UI = '/ui/';

const WITHOUT_PAGES =
  'This is mlferry, serving a place as an MLflow tracking server, to be read only: give MLFLOW_TRACKING_URI this address.\n' +
  'It has pages where MLflow is installed, or where --ui names an environment with MLflow.\n';

async function replyTo(request: IncomingMessage, context: PageContext): Promise<Reply> {
  const method = request.method === 'HEAD' ? 'GET' : (request.method ?? '');
  const url = urlOf(request.url ?? '/');
  const path = url.pathname.startsWith(UI) ? url.pathname.slice(UI.length - 1) : url.pathname;
  const segments = segmentsOf(path);
  const { handle, named, methods } = routeOf(method, segments);
  if (handle === undefined) {
    if (method === 'GET' && context.pages !== undefined) {
      if (url.pathname === '/' || url.pathname === '/ui') return { redirect: UI };
      if (path !== url.pathname && !isApiPath(path)) return context.pages.file(segments.join('/'));
    } else if (method === 'GET' && url.pathname === '/') return { text: WITHOUT_PAGES };
    throw notAnswered(method, path, methods);
  }
  const fields = method === 'POST' ? await readBody(request) : fieldsOfQuery(url.searchParams);
  return handle(context, { fields: { ...fields, ...named } });
}

/** Throws INVALID_PARAMETER_VALUE. */
function urlOf(target: string): URL {
  const url = target.startsWith('/') ? URL.parse(`http://served${target}`) : null;
  if (url === null) throw invalid('The address of the request cannot be read');
  return url;
}

/** The segments of a path, each decoded. Throws INVALID_PARAMETER_VALUE. */
function segmentsOf(path: string): string[] {
  try {
    return path.split('/').slice(1).map(decodeURIComponent);
  } catch {
    throw invalid('The path of the request cannot be decoded');
  }
}

function notAnswered(method: string, path: string, methods: readonly string[]): Refusal {
  if (method !== 'GET' && (isApiPath(path) || methods.length > 0)) {
    const reason = `This is mlferry serving a place to be read: ${method} ${path} would change it, or is not answered`;
    return new Refusal('PERMISSION_DENIED', reason, 405);
  }
  return isApiPath(path) ? new Refusal('ENDPOINT_NOT_FOUND', `${path} is not answered here`) : absent(path);
}
