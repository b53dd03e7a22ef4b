import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { hasPostgresql } from './postgresql.ts';
import { type ServerOptions, startServer } from './start-server.ts';
import { MLFLOW_VERSIONS, NEWEST_MLFLOW } from './versions.ts';

const authorization = (server: { username?: string; password?: string }) =>
  `Basic ${Buffer.from(`${server.username}:${server.password}`).toString('base64')}`;

describe('startServer', () => {
  const kinds: Array<[name: string, options: ServerOptions]> = [
    ...MLFLOW_VERSIONS.map((version): [string, ServerOptions] => [version, { version }]),
    ['directory store', { store: 'filestore' }],
    ['plain artifact root', { artifacts: 'plain' }],
    ['basic-auth', { auth: true }],
    ['workspaces', { workspaces: true }],
    ['PostgreSQL', { store: 'postgresql' }],
  ];
  test.for(kinds)('%s', async ([, options], { skip }) => {
    if (options.store === 'postgresql' && !(await hasPostgresql()))
      skip('PostgreSQL is neither running nor installed');
    const server = await startServer(options);
    const headers = options.auth ? { authorization: authorization(server) } : {};
    const version = await fetch(`${server.url}/version`, { headers });
    expect(await version.text()).toBe(options.version ?? NEWEST_MLFLOW);
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
