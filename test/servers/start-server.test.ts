import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { type ServerOptions, startServer } from './start-server.ts';
import { NEWEST_MLFLOW } from './versions.ts';

const authorization = (server: { username?: string; password?: string }) =>
  `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`;

describe('startServer', () => {
  test.for([
    ['newest', {}],
    ['basic-auth', { auth: true }],
  ] satisfies Array<[name: string, options: ServerOptions]>)('%s', async ([, options]) => {
    const server = await startServer(options);
    const headers = 'auth' in options ? { authorization: authorization(server) } : {};
    const version = await fetch(`${server.url}/version`, { headers });
    expect(await version.text()).toBe(NEWEST_MLFLOW);
    const experiments = await fetch(`${server.url}/api/2.0/mlflow/experiments/search?max_results=5`, {
      headers,
    });
    expect(await experiments.json()).toMatchObject({ experiments: [{ name: 'Default' }] });
    await server.stop();
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    expect(existsSync(server.directory)).toBe(false);
  });

  test('ends with the process that started it, even when that is killed', async () => {
    const starter = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        'const { startServer } = await import(process.argv[1]); console.log((await startServer()).url); setInterval(() => {}, 1000);',
        new URL('./start-server.ts', import.meta.url).href,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const [url] = await once(createInterface(starter.stdout), 'line');
    expect((await fetch(`${url}/health`)).ok).toBe(true);
    starter.kill('SIGKILL');
    await expect
      .poll(
        () =>
          fetch(`${url}/health`).then(
            () => 'up',
            () => 'down',
          ),
        { timeout: 30_000 },
      )
      .toBe('down');
  });
});
