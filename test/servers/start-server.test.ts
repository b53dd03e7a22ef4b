import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { type ServerOptions, startServer } from './start-server.ts';
import { NEWEST_MLFLOW } from './versions.ts';

// The other versions and stores are started by tests that need them.
const kinds: Array<[name: string, options: ServerOptions]> = [
  ['a process of its own', { plain: true }],
  ['a fork of a forge', {}],
];

describe('startServer', () => {
  test.for(kinds)('%s', async ([, options]) => {
    const server = await startServer(options);
    const version = await fetch(`${server.url}/version`);
    expect(await version.text()).toBe(NEWEST_MLFLOW);
    const experiments = await fetch(`${server.url}/api/2.0/mlflow/experiments/search?max_results=5`);
    expect(await experiments.json()).toMatchObject({ experiments: [{ name: 'Default' }] });
    await server.stop();
    await expect(fetch(`${server.url}/health`)).rejects.toThrow();
    expect(existsSync(server.directory)).toBe(false);
  });

  test.for(kinds)(
    '%s ends with the process that started it, even when that is killed',
    async ([, options]) => {
      const starter = spawn(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          'const { startServer } = await import(process.argv[1]);' +
            'const { url, directory } = await startServer(JSON.parse(process.argv[2]));' +
            'console.log(JSON.stringify([url, directory])); setInterval(() => {}, 1000);',
          new URL('./start-server.ts', import.meta.url).href,
          JSON.stringify(options),
        ],
        { stdio: ['ignore', 'pipe', 'inherit'] },
      );
      const [line] = await once(createInterface(starter.stdout), 'line');
      const [url, directory] = JSON.parse(line);
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
      await expect.poll(() => existsSync(directory), { timeout: 30_000 }).toBe(false);
    },
  );
});
