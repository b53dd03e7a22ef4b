import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PlaceOptions } from '../../../src/places/place-options.ts';
import { connectTo } from './connect-to.ts';
import { startFake, status } from './fake-server.ts';

describe('connect', () => {
  it('tells what the server is; credentials of the URL are used and never shown', async () => {
    const fake = await startFake(({ path }) =>
      path.endsWith('/server-info')
        ? { json: { store_type: 'SqlStore', workspaces_enabled: true } }
        : undefined,
    );
    const client = await connectTo(`http://me:canary@${fake.url.host}/prefix/?workspace=team-a`);
    expect(client.server).toEqual({
      version: '3.17.2',
      store_type: 'SqlStore',
      workspaces: true,
      databricks: false,
    });
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
    await expect(connectTo(`${fake.url}?workspace=a`)).rejects.toMatchObject({ code: 'UNSUPPORTED' });
  });

  it.each(['http://127.0.0.1:1', 'http://no-such-host.invalid'])(
    'gives up on %s after a few tries',
    async (location) => {
      await expect(connectTo(location)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    },
  );

  it('knows what is no MLflow server', async () => {
    const html = await startFake(() => status(200, '<!doctype html><p>Sign in</p>'));
    await expect(connectTo(html.url.href)).rejects.toMatchObject({
      code: 'NOT_MLFLOW',
      message: expect.stringContaining('HTML'),
    });
    const empty = await startFake(() => status(404, 'not found'));
    await expect(connectTo(empty.url.href)).rejects.toMatchObject({ code: 'NOT_MLFLOW' });
    const login = await startFake(() => status(302, '', { location: 'https://login.example/?next=secret' }));
    await expect(connectTo(login.url.href)).rejects.toMatchObject({
      code: 'NOT_MLFLOW',
      message: expect.stringMatching(/redirected to https:\/\/login\.example\/$/),
    });
  });

  it('says whether credentials were sent, and never which', async () => {
    const fake = await startFake(() => status(401, 'You are not authenticated'));
    await expect(connectTo(fake.url.href)).rejects.toMatchObject({
      code: 'DENIED',
      message: expect.stringContaining('none were given'),
    });
    const error = await connectTo(fake.url.href, { MLFERRY_FROM_TOKEN: 'canary' }).catch(
      (thrown: unknown) => thrown,
    );
    expect(error).toMatchObject({ code: 'DENIED', message: expect.stringContaining('MLFERRY_FROM_TOKEN') });
    expect(JSON.stringify(error) + String(error)).not.toContain('canary');
  });

  it('points to --allowed-hosts', async () => {
    const fake = await startFake(() =>
      status(403, 'Invalid Host header - possible DNS rebinding attack detected'),
    );
    await expect(connectTo(fake.url.href)).rejects.toMatchObject({
      code: 'DENIED',
      hint: expect.stringContaining('--allowed-hosts'),
    });
  });

  it('refuses PEM files that are not there, and options that contradict each other', async () => {
    const caFile = '/no/such/file.pem';
    await expect(connectTo('https://127.0.0.1:1', {}, { tls: { caFile } })).rejects.toMatchObject({
      code: 'CREDENTIALS',
    });
    await expect(
      connectTo('https://127.0.0.1:1', {
        MLFLOW_TRACKING_INSECURE_TLS: 'true',
        MLFLOW_TRACKING_SERVER_CERT_PATH: caFile,
      }),
    ).rejects.toMatchObject({ code: 'USAGE' });
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
    await expect(connectTo(await tlsServer())).rejects.toMatchObject({
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
      (await connectTo(url, environment, tls === undefined ? {} : { tls })).server.version;
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
    await expect(connectTo(`https://${fake.url.host}`)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
