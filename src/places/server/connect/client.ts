import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { z } from 'zod';
import { sizedBody } from '../../../artifacts/sized-body.ts';
import { fromServerJson, toJson } from '../../../model/json.ts';
import { MlferryError } from '../../../util/errors.ts';
import type { PlaceOptions } from '../../place-options.ts';
import { placeStores } from '../../place-stores.ts';
import type { ServerLocation } from '../location.ts';
import { findCredentials } from './auth.ts';
import { AnswerTooLarge, readBody, readStart } from './body.ts';
import { findDatabricks } from './databricks.ts';
import { createExchange, type Query } from './exchange.ts';
import { probeServer } from './probe-server.ts';
import type { RequestContext } from './problems.ts';
import { type Endpoint, type Route, routes } from './routes.ts';
import type { Asked, Download, TrackingClient } from './tracking-client.ts';

/**
 * Connects to a tracking server: finds the credentials, asks what the server is and that it lets us in. Throws
 * UNAVAILABLE soon when nothing answers at the address, NOT_MLFLOW when it is something else, UNSUPPORTED when a
 * workspace is asked of a server without workspaces or Databricks wants another login than a token, DENIED, CREDENTIALS.
 */
export async function connect(place: ServerLocation, options: PlaceOptions): Promise<TrackingClient> {
  const databricks = place.kind === 'databricks';
  const { url, credentials } = databricks
    ? await findDatabricks(place.profile, options.environment)
    : { url: place.url, credentials: await findCredentials(place.url, options) };
  const workspace = databricks ? undefined : place.workspace;
  const exchange = createExchange({ url, workspace, credentials }, options);
  const { base, location, backoff, requests, close } = exchange;
  const stores = placeStores(options);
  /** It has answered as an MLflow server does: this is the right address. */
  let known = false;

  async function call<T>(route: Route<T>, { body, ...asked }: Asked = {}): Promise<T> {
    const headers = {
      accept: 'application/json',
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const text = body === undefined ? undefined : toJson(body);
    return exchange.send(
      {
        ...asked,
        route,
        headers,
        known,
        ...(text === undefined ? {} : { body: async () => text }),
      },
      (response, context) => takeJson(response, context, route.schema),
    );
  }

  async function download(
    route: Endpoint,
    query?: Query,
    repeats?: number,
    from?: number,
  ): Promise<Download> {
    const headers = from === undefined ? {} : { range: `bytes=${from}-` };
    return exchange.send(
      { route, query, headers, elsewhere: true, repeats },
      async ({ body, statusCode, headers: answer }, { name }) => {
        const begins = statusCode === 206 ? firstByte(answer['content-range']) : 0;
        if (begins === undefined || (begins !== 0 && begins !== from))
          throw new MlferryError('NOT_MLFLOW', `${name}: the server gave another part than was asked for`);
        return { body, length: contentLength(answer['content-length']), from: begins };
      },
    );
  }

  async function stream<T>(route: Endpoint, query: Query, take: (body: Readable) => Promise<T>): Promise<T> {
    return exchange.send({ route, query, known }, async ({ body }, context) => {
      try {
        return await take(body);
      } catch (error) {
        body.destroy();
        if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
        const message = `${context.name}: the server answered with something that is not MLflow’s JSON`;
        throw new MlferryError('NOT_MLFLOW', message, { cause: error });
      }
    });
  }

  async function upload(route: Endpoint, size: number, open: () => Promise<Readable>): Promise<void> {
    const headers = { 'content-length': String(size), 'content-type': 'application/octet-stream' };
    // Of a body without a single byte undici says so in the header, and the server would store an empty file.
    const whole = async () => sizedBody(await open(), size, `The body of PUT ${route.path}`);
    await exchange.send({ route, headers, body: whole }, async ({ body }) => body.dump());
  }

  async function post(
    route: Endpoint,
    body: Uint8Array,
    headers: Readonly<Record<string, string>>,
    asked: Pick<Asked, 'query' | 'repeats'> = {},
  ) {
    await exchange.send({ ...asked, route, headers, body: async () => body }, async (response) =>
      response.body.dump(),
    );
  }

  const version = (repeats: number) =>
    exchange.send({ route: routes.version, repeats }, ({ body }) => readStart(body));

  try {
    const server = await probeServer({ call, version, location, workspace, databricks });
    known = true;
    return {
      base,
      location,
      workspace,
      server,
      stores,
      backoff,
      call,
      download,
      stream,
      upload,
      post,
      requests,
      async close() {
        await stores.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Whether an error of `call` says that the answer was larger than the client takes: ask for less. */
export function isTooLarge(error: unknown): boolean {
  return error instanceof MlferryError && error.cause instanceof AnswerTooLarge;
}

function withoutNullsAt(json: unknown, issues: ReadonlyArray<{ readonly path: PropertyKey[] }>): unknown {
  return issues.reduce((rest, { path }) => withoutNullAt(rest, path), json);
}

/** A value without the null at a path, if one stands there. */
function withoutNullAt(value: unknown, [step, ...path]: readonly PropertyKey[]): unknown {
  if (typeof value !== 'object' || value === null || step === undefined) return value;
  if (Array.isArray(value)) return value.map((item, at) => (at === step ? withoutNullAt(item, path) : item));
  const entries = Object.entries(value).filter(
    ([key, item]) => !(key === step && path.length === 0 && item === null),
  );
  return Object.fromEntries(
    entries.map(([key, item]) => [key, key === step ? withoutNullAt(item, path) : item]),
  );
}

async function takeJson<T>(
  response: Dispatcher.ResponseData,
  context: RequestContext,
  schema: z.ZodType<T>,
): Promise<T> {
  const json = parseJson(await readBody(response.body, context.name), context);
  const found = schema.safeParse(json);
  // Servers that are not MLflow's own (FastTrackML, others in Go) write null for an empty list or what is unset. A null that
  // fits says something.
  const parsed = found.success ? found : schema.safeParse(withoutNullsAt(json, found.error.issues));
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const where =
    issue === undefined || issue.path.length === 0 ? 'the answer' : issue.path.map(String).join('.');
  const what = issue?.message ?? 'does not fit';
  throw new MlferryError(
    'NOT_MLFLOW',
    `${context.name}: not the answer of an MLflow server: ${where}: ${what}`,
  );
}

function parseJson(text: string, context: RequestContext): unknown {
  try {
    return fromServerJson(text);
  } catch (error) {
    const what = /^\s*</.test(text) ? 'HTML instead of JSON' : 'something that is not JSON';
    throw new MlferryError('NOT_MLFLOW', `${context.name}: the server answered with ${what}`, {
      cause: error,
    });
  }
}

function contentLength(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : undefined;
}

/** Of `bytes 100-199/200`: 100. */
function firstByte(header: string | string[] | undefined): number | undefined {
  const first = typeof header === 'string' ? /^bytes (\d{1,15})-/.exec(header)?.[1] : undefined;
  return first === undefined ? undefined : Number(first);
}
