import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { Readable } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { parseLocation } from '../../../src/places/location.ts';
import type { PlaceOptions } from '../../../src/places/place.ts';
import { connect, isTooLarge, type TrackingClient } from '../../../src/places/server/client.ts';
import { serverAnswer } from '../../../src/places/server/problems.ts';
import { type Answer, cut, type FakeServer, type SeenRequest, startFake, status } from './fake-server.ts';
import { placeOptions } from './place-options.ts';

const PATH = '/api/2.0/mlflow/thing';
const schema = z.object({ value: z.string() });
const ask = { method: 'GET' as const, path: PATH, schema };
const good: Answer = { json: { value: 'yes' } };

async function open(
  location: string,
  environment: Record<string, string> = {},
  more: Partial<PlaceOptions> = {},
) {
  const place = parseLocation(location);
  if (place.kind !== 'server') throw new Error('not a server');
  return connect(place, (await placeOptions(environment, more)).options);
}

/** A client of a fake whose `thing` gives these answers, one after another; the last one stays. */
async function clientOf(
  answers: readonly Answer[],
  environment = {},
): Promise<{ client: TrackingClient; fake: FakeServer }> {
  const route = ({ path }: SeenRequest, number: number) =>
    path === PATH ? (answers[number] ?? answers.at(-1)) : undefined;
  const fake = await startFake(route);
  return { fake, client: await open(fake.url.href, environment) };
}

const json = (code: number, error_code: string, message: string) =>
  status(code, JSON.stringify({ error_code, message }), { 'content-type': 'application/json' });

describe('connect', () => {
  it('tells what the server is; credentials of the URL are used and never shown', async () => {
    const fake = await startFake(({ path }) =>
      path.endsWith('/server-info')
        ? { json: { store_type: 'SqlStore', workspaces_enabled: true } }
        : undefined,
    );
    const client = await open(`http://me:canary@${fake.url.host}/prefix/?workspace=team-a`);
    expect(client.server).toEqual({ version: '3.17.2', store_type: 'SqlStore', workspaces: true });
    expect(client.location).toBe(`http://${fake.url.host}/prefix?workspace=team-a`);
    expect(client.base.href).toBe(`http://${fake.url.host}/prefix`);
    expect(fake.seen.map(({ path }) => path)).toEqual([
      '/prefix/version',
      '/prefix/api/3.0/mlflow/server-info',
      '/prefix/api/2.0/mlflow/experiments/search',
    ]);
    for (const { headers } of fake.seen) {
      expect(headers).toMatchObject({ 'x-mlflow-workspace': 'team-a', authorization: 'Basic bWU6Y2FuYXJ5' });
      expect(headers['user-agent']).toMatch(/^mlferry\/\d/);
      expect(headers.origin).toBeUndefined();
    }
  });

  it('refuses a workspace on a server without workspaces', async () => {
    const fake = await startFake(() => undefined);
    await expect(open(`${fake.url}?workspace=a`)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it.each(['http://127.0.0.1:1', 'http://no-such-host.invalid'])(
    'gives up on %s after a few tries',
    async (location) => {
      await expect(open(location)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  it('knows what is no MLflow server', async () => {
    const html = await startFake(() => status(200, '<!doctype html><p>Sign in</p>'));
    await expect(open(html.url.href)).rejects.toMatchObject({
      code: 'NOT_MLFLOW',
      message: expect.stringContaining('HTML'),
    });
    const empty = await startFake(() => status(404, 'not found'));
    await expect(open(empty.url.href)).rejects.toMatchObject({ code: 'NOT_MLFLOW' });
    const login = await startFake(() => status(302, '', { location: 'https://login.example/?next=secret' }));
    await expect(open(login.url.href)).rejects.toMatchObject({
      code: 'NOT_MLFLOW',
      message: expect.stringMatching(/redirected to https:\/\/login\.example\/$/),
    });
  });

  it('says whether credentials were sent, and never which', async () => {
    const fake = await startFake(() => status(401, 'You are not authenticated'));
    await expect(open(fake.url.href)).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('none were given'),
    });
    const error = await open(fake.url.href, { MLFERRY_FROM_TOKEN: 'canary' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'DENIED', message: expect.stringContaining('MLFERRY_FROM_TOKEN') });
    expect(JSON.stringify(error) + String(error)).not.toContain('canary');
  });

  it('points to --allowed-hosts', async () => {
    const fake = await startFake(() =>
      status(403, 'Invalid Host header - possible DNS rebinding attack detected'),
    );
    await expect(open(fake.url.href)).rejects.toMatchObject({
      code: 'DENIED',
      hint: expect.stringContaining('--allowed-hosts'),
    });
  });

  it('refuses PEM files that are not there, and options that contradict each other', async () => {
    const caFile = '/no/such/file.pem';
    await expect(open('https://127.0.0.1:1', {}, { tls: { caFile } })).rejects.toMatchObject({
      code: 'CREDENTIALS',
    });
    await expect(
      open('https://127.0.0.1:1', {
        MLFLOW_TRACKING_INSECURE_TLS: 'true',
        MLFLOW_TRACKING_SERVER_CERT_PATH: caFile,
      }),
    ).rejects.toMatchObject({ code: 'USAGE' });
  });
});

describe('call', () => {
  it.each<[string, Answer[], number]>([
    ['a lost connection', [cut, cut, good], 3],
    ['429', [status(429), good], 2],
    ['502 and 503', [status(502, '<html>'), json(503, 'TEMPORARILY_UNAVAILABLE', 'locked'), good], 3],
    ['500, twice at most', [status(500), status(500), good], 3],
  ])('repeats after %s', async (_name, answers, requests) => {
    const { client, fake } = await clientOf(answers);
    expect(await client.call(ask)).toEqual({ value: 'yes' });
    expect(fake.to(PATH)).toHaveLength(requests);
    expect(client.requests()).toBe(fake.seen.length);
  });

  it.each<[string, Answer, string, number]>([
    ['a missing object', json(404, 'RESOURCE_DOES_NOT_EXIST', 'no'), 'NOT_FOUND', 1],
    ['a missing endpoint', status(404, '<html>'), 'UNSUPPORTED', 1],
    ['a missing endpoint of FastAPI', status(404, '{"detail":"Not Found"}'), 'UNSUPPORTED', 1],
    ['a refusal', json(400, 'INVALID_PARAMETER_VALUE', 'too long'), 'REFUSED', 1],
    ['missing rights', json(403, 'PERMISSION_DENIED', 'Permission denied'), 'DENIED', 1],
    ['a defect of the server', json(500, 'INTERNAL_ERROR', 'boom'), 'SERVER_ERROR', 3],
    ['an overloaded server', status(503, 'busy'), 'UNAVAILABLE', 4],
    ['a server without artifacts', status(503, 'running with `--no-serve-artifacts`'), 'UNSUPPORTED', 1],
    ['a server that hangs up', cut, 'UNAVAILABLE', 4],
    ['HTML', status(200, '<html></html>'), 'NOT_MLFLOW', 1],
    ['another JSON', { json: { value: 1 } }, 'NOT_MLFLOW', 1],
    [
      'bytes that are not UTF-8',
      { respond: (response) => response.end(Buffer.from([0x22, 0xff, 0x22])) },
      'NOT_MLFLOW',
      1,
    ],
  ])('maps %s', async (_name, answer, code, requests) => {
    const { client, fake } = await clientOf([answer], { MLFLOW_HTTP_REQUEST_MAX_RETRIES: '3' });
    await expect(client.call(ask)).rejects.toMatchObject({
      code,
      message: expect.stringContaining(`GET ${PATH} at`),
    });
    expect(fake.to(PATH)).toHaveLength(requests);
  });

  it('keeps the server’s own code', async () => {
    const { client } = await clientOf([json(400, 'RESOURCE_ALREADY_EXISTS', 'is there')]);
    const error = await client.call(ask).catch((thrown: unknown) => thrown);
    expect(serverAnswer(error)).toEqual({
      status: 400,
      error_code: 'RESOURCE_ALREADY_EXISTS',
      message: 'is there',
    });
  });

  it('waits at least as long as the server asks', async () => {
    const { client, fake } = await clientOf([status(429, '', { 'retry-after': '1' }), good]);
    const begin = performance.now();
    expect(await client.call(ask)).toEqual({ value: 'yes' });
    expect(performance.now() - begin).toBeGreaterThan(900);
    expect(fake.to(PATH)).toHaveLength(2);
  });

  it('does not send a create again that may have been done', async () => {
    const create = { ...ask, method: 'POST' as const, body: {}, repeat: false };
    for (const answer of [cut, status(500), status(502)]) {
      const { client, fake } = await clientOf([answer, good]);
      await expect(client.call(create)).rejects.toSatisfy((error) => error.meaning.retryable);
      expect(fake.to(PATH)).toHaveLength(1);
    }
    const { client } = await clientOf([status(429), good]);
    expect(await client.call(create)).toEqual({ value: 'yes' });
  });

  it('sends arrays as repeated keys, big integers and -0 as they are', async () => {
    const { client, fake } = await clientOf([good]);
    await client.call({
      ...ask,
      method: 'POST',
      query: { id: ['a b', 'ü'], none: undefined, yes: true },
      body: { n: -0 },
    });
    const [request] = fake.to(PATH);
    expect([...(request?.query ?? [])]).toEqual([
      ['id', 'a b'],
      ['id', 'ü'],
      ['yes', 'true'],
    ]);
    expect(request?.body).toBe('{"n":-0}');
  });

  it('refuses an endless answer', async () => {
    const endless: Answer = {
      respond: (response) => {
        const chunk = Buffer.alloc(2 ** 20, 0x20);
        const more = () => {
          while (response.writable && response.write(chunk));
        };
        response.on('drain', more).on('error', () => undefined);
        more();
      },
    };
    const { client } = await clientOf([endless]);
    await expect(client.call(ask)).rejects.toSatisfy(isTooLarge);
  });

  it('follows a redirect within the server, for GET only', async () => {
    const fake = await startFake(({ path }) => {
      if (path === PATH) return status(307, '', { location: `${PATH}2` });
      return path === `${PATH}2` ? good : undefined;
    });
    const client = await open(fake.url.href);
    expect(await client.call(ask)).toEqual({ value: 'yes' });
    await expect(client.call({ ...ask, method: 'POST', body: {} })).rejects.toMatchObject({
      code: 'NOT_MLFLOW',
    });
  });

  it('stops at once when aborted', async () => {
    const abort = new AbortController();
    const fake = await startFake(({ path }) => {
      if (path !== PATH) return undefined;
      abort.abort();
      return status(503);
    });
    const client = await open(fake.url.href, {}, { signal: abort.signal });
    await expect(client.call(ask)).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});

describe('download and upload', () => {
  it('does not show credentials to another origin', async () => {
    const other = await startFake(() => status(200, 'bytes'));
    const fake = await startFake(({ path }) =>
      path === '/file' ? status(302, '', { location: `${other.url}there?sig=1` }) : undefined,
    );
    const client = await open(fake.url.href, { MLFLOW_TRACKING_TOKEN: 'canary' });
    const { body } = await client.download('/file');
    expect(Buffer.concat(await body.toArray()).toString()).toBe('bytes');
    expect(fake.to('/file')[0]?.headers.authorization).toBe('Bearer canary');
    expect(other.seen).toHaveLength(1);
    expect(JSON.stringify(other.seen[0]?.headers)).not.toContain('canary');
  });

  it('fails when the body breaks off', async () => {
    const short: Answer = {
      respond: (response) => {
        response.writeHead(200, { 'content-length': '10' });
        response.write('abc', () => response.destroy());
      },
    };
    const { client } = await clientOf([short]);
    const { body, length } = await client.download(PATH);
    expect(length).toBe(10);
    await expect(body.toArray()).rejects.toThrow();
  });

  it('sends a fresh stream on each try, with its length', async () => {
    const { client, fake } = await clientOf([status(503), { json: {} }]);
    let opened = 0;
    await client.upload(PATH, 5, async () => {
      opened++;
      return Readable.from([Buffer.from('he'), Buffer.from('llo')]);
    });
    expect(opened).toBe(2);
    expect(fake.to(PATH).map(({ body, headers }) => [body, headers['content-length']])).toEqual([
      ['hello', '5'],
      ['hello', '5'],
    ]);
  });

  it('refuses a stream that is shorter than announced', async () => {
    const { client } = await clientOf([good]);
    await expect(
      client.upload(PATH, 5, async () => Readable.from([Buffer.from('he')])),
    ).rejects.toMatchObject({ code: 'SHORT_BODY' });
  });
});

describe('TLS', () => {
  const pem = (name: string) => fileURLToPath(new URL(`../../fixtures/tls/${name}`, import.meta.url));

  async function tlsServer(): Promise<string> {
    const server = createServer(
      {
        cert: readFileSync(pem('server.pem')),
        key: readFileSync(pem('server.pem')),
        ca: readFileSync(pem('ca.pem')),
        requestCert: true,
        rejectUnauthorized: false,
      },
      ({ socket, url }, response) => {
        const isKnown = socket instanceof TLSSocket && socket.authorized;
        response.end(url === '/version' ? (isKnown ? '3.0.1' : '3.0.0') : '{}');
      },
    );
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const address = server.address();
    return `https://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
  }

  it('refuses an unknown authority', async () => {
    await expect(open(await tlsServer())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('TLS'),
      hint: expect.stringContaining('CA'),
    });
  });

  it('takes a CA and a client certificate from options or MLflow’s variables, or verifies nothing when told so', async () => {
    const url = await tlsServer();
    const caFile = pem('ca.pem');
    const clientCertFile = pem('client.pem');
    const versionWith = async (environment: Record<string, string>, tls?: PlaceOptions['tls']) =>
      (await open(url, environment, tls === undefined ? {} : { tls })).server.version;
    expect(await versionWith({}, { caFile })).toBe('3.0.0');
    expect(await versionWith({}, { caFile, clientCertFile })).toBe('3.0.1');
    expect(await versionWith({}, { insecure: true })).toBe('3.0.0');
    expect(await versionWith({ MLFLOW_TRACKING_INSECURE_TLS: 'true' })).toBe('3.0.0');
    expect(
      await versionWith({
        MLFLOW_TRACKING_SERVER_CERT_PATH: caFile,
        MLFLOW_TRACKING_CLIENT_CERT_PATH: clientCertFile,
      }),
    ).toBe('3.0.1');
  });

  it('says so when the server speaks plain HTTP', async () => {
    const fake = await startFake(() => undefined);
    await expect(open(`https://${fake.url.host}`)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
