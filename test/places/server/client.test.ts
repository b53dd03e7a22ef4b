import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { isTooLarge } from '../../../src/places/server/connect/client.ts';
import { serverAnswer } from '../../../src/places/server/connect/problems.ts';
import type { TrackingClient } from '../../../src/places/server/connect/tracking-client.ts';
import { connectTo } from './connect-to.ts';
import { type Answer, cut, type FakeServer, type SeenRequest, startFake, status } from './fake-server.ts';

const PATH = '/api/2.0/mlflow/thing';
const schema = z.object({ value: z.string() });
const ask = { method: 'GET' as const, path: PATH, schema, class: 'read' as const, changes: false };
const post = { ...ask, method: 'POST' as const };
const file = { ...ask, path: '/file', class: 'bytes' as const };
const put = { ...file, method: 'PUT' as const, path: PATH, changes: true };
const good: Answer = { json: { value: 'yes' } };

/** A client of a fake whose `thing` gives these answers, one after another; the last one stays. */
async function clientOf(
  answers: readonly Answer[],
  environment = {},
): Promise<{ client: TrackingClient; fake: FakeServer }> {
  const route = ({ path }: SeenRequest, number: number) =>
    path === PATH ? (answers[number] ?? answers.at(-1)) : undefined;
  const fake = await startFake(route);
  return { fake, client: await connectTo(fake.url.href, environment) };
}

const json = (code: number, error_code: string, message: string) =>
  status(code, JSON.stringify({ error_code, message }), { 'content-type': 'application/json' });

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
    ['HTML from something in between', status(200, '<html></html>'), 'UNAVAILABLE', 3],
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

  it('gives up when too many requests had to be repeated', async () => {
    const { client, fake } = await clientOf([status(503)], {
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '9',
      MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR: '0',
    });
    const messages: string[] = [];
    for (let index = 0; index < 25; index++)
      await client.call(ask).catch((error: unknown) => messages.push(String(error)));
    expect(
      messages.filter((message) => message.includes('Too many requests had to be repeated')),
    ).toHaveLength(5);
    // 20 with nine repeats each, one that used up the rest, and four that had none.
    expect(fake.to(PATH)).toHaveLength(20 * 10 + 1 + 4);
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
    const create = (client: TrackingClient) =>
      client.call({ ...post, changes: true }, { body: {}, repeat: false });
    for (const answer of [cut, status(500), status(502)]) {
      const { client, fake } = await clientOf([answer, good]);
      await expect(create(client)).rejects.toSatisfy((error) => error.meaning.retryable);
      expect(fake.to(PATH)).toHaveLength(1);
    }
    const { client } = await clientOf([status(429), good]);
    expect(await create(client)).toEqual({ value: 'yes' });
  });

  it('sends arrays as repeated keys, big integers and -0 as they are', async () => {
    const { client, fake } = await clientOf([good]);
    await client.call(post, {
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
    const client = await connectTo(fake.url.href);
    expect(await client.call(ask)).toEqual({ value: 'yes' });
    await expect(client.call(post, { body: {} })).rejects.toMatchObject({
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
    const client = await connectTo(fake.url.href, {}, { signal: abort.signal });
    await expect(client.call(ask)).rejects.toMatchObject({ code: 'INTERRUPTED' });
  });
});

describe('download and upload', () => {
  it('does not show credentials to another origin', async () => {
    const other = await startFake(() => status(200, 'bytes'));
    const fake = await startFake(({ path }) =>
      path === '/file' ? status(302, '', { location: `${other.url}there?sig=1` }) : undefined,
    );
    const client = await connectTo(fake.url.href, { MLFLOW_TRACKING_TOKEN: 'canary' });
    const { body } = await client.download(file);
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
    const { body, length } = await client.download({ ...file, path: PATH });
    expect(length).toBe(10);
    await expect(body.toArray()).rejects.toThrow();
  });

  it('sends a fresh stream on each try, with its length', async () => {
    const { client, fake } = await clientOf([status(503), { json: {} }]);
    let opened = 0;
    await client.upload(put, 5, async () => {
      opened++;
      return Readable.from([Buffer.from('he'), Buffer.from('llo')]);
    });
    expect(opened).toBe(2);
    expect(fake.to(PATH).map(({ body, headers }) => [body, headers['content-length']])).toEqual([
      ['hello', '5'],
      ['hello', '5'],
    ]);
  });

  it.each([
    ['shorter than', ['he']],
    ['longer than', ['hello', 'hello']],
    ['empty instead of', []],
  ])('refuses a stream that is %s announced', async (_, pieces) => {
    const { client, fake } = await clientOf([good]);
    const body = async () => Readable.from(pieces.map((piece) => Buffer.from(piece)));
    await expect(client.upload(put, 5, body)).rejects.toMatchObject({ code: 'SHORT_BODY' });
    expect(fake.to(PATH)).toEqual([]);
  });
});
