import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { connect as dial } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { testOptions } from '../memory-workspace.ts';

/** A server, not MLflow's own, that tells of one experiment, and a proxy that notes what passes it. */
describe('HTTP_PROXY, HTTPS_PROXY and NO_PROXY', () => {
  const passed: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const experiments = [{ experiment_id: '1', name: 'behind', lifecycle_stage: 'active', tags: null }];
    const isVersion = incoming.url === '/version';
    outgoing.writeHead(200, { 'content-type': 'application/json' });
    // As servers in Go tell what is unset.
    outgoing.end(isVersion ? '0.6.0' : JSON.stringify({ experiments, next_page_token: null }));
  });
  const proxy = createServer((incoming, outgoing) => {
    passed.push(`${incoming.method} ${incoming.url}`);
    const onward = request(
      incoming.url ?? '',
      { method: incoming.method, headers: incoming.headers },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
        answer.pipe(outgoing);
      },
    );
    incoming.pipe(onward);
  });
  proxy.on('connect', (incoming, socket) => {
    passed.push(`CONNECT ${incoming.url}`);
    const [host = '', port = ''] = (incoming.url ?? '').split(':');
    const onward = dial(Number(port), host === 'mlflow.invalid' ? '127.0.0.1' : host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy());
  });
  const portOf = (of: typeof server) => {
    const address = of.address();
    return typeof address === 'object' ? address?.port : undefined;
  };
  beforeAll(async () => {
    for (const one of [server, proxy]) {
      one.listen(0, '127.0.0.1');
      await once(one, 'listening');
    }
  });
  afterAll(() => {
    for (const one of [server, proxy]) {
      one.closeAllConnections();
      one.close();
    }
  });

  async function names(environment: Readonly<Record<string, string>>): Promise<string[]> {
    passed.length = 0;
    const { options } = testOptions(tmpdir(), { environment });
    const reader = await openReader(`http://127.0.0.1:${portOf(server)}`, options);
    const found: string[] = [];
    for await (const { name } of reader.experiments(ALL_ACTIVE)) found.push(name);
    await reader.close();
    return found;
  }

  it.each(['HTTP_PROXY', 'http_proxy'])('%s is the way to a server', async (name) => {
    expect(await names({ [name]: `http://127.0.0.1:${portOf(proxy)}` })).toEqual(['behind']);
    expect(passed.length).toBeGreaterThan(0);
    expect(passed[0]).toContain(`127.0.0.1:${portOf(server)}`);
  });

  it('NO_PROXY names those that are reached directly', async () => {
    const environment = { HTTP_PROXY: `http://127.0.0.1:${portOf(proxy)}`, NO_PROXY: '127.0.0.1,.internal' };
    expect(await names(environment)).toEqual(['behind']);
    expect(passed).toEqual([]);
  });

  it('none is used where none is named', async () => {
    expect(await names({})).toEqual(['behind']);
    expect(passed).toEqual([]);
  });

  it('an address that is none is said to be none', async () => {
    await expect(names({ HTTP_PROXY: 'not an address' })).rejects.toMatchObject({ code: 'CREDENTIALS' });
  });
});
