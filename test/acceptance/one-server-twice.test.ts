import { describe, expect, it } from 'vitest';
import { makeWorkspace, takeSnapshot } from '../servers/mlflow-client.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { copyReport } from './run-mlferry.ts';

describe('source and target are one server', () => {
  const server = sharedServer();

  it('by whatever address: nothing is doubled, unless the runs go to another experiment', async () => {
    const { url } = await server();
    await makeWorkspace(await server(), 'small');
    const before = await takeSnapshot(await server());
    const alias = url.replace('127.0.0.1', 'localhost');
    expect(alias).not.toBe(url);
    for (const options of [[], ['--dry-run']])
      for (const to of [url, alias]) {
        const report = await copyReport(['copy', url, to, ...options]);
        expect(report).toMatchObject({ exit_status: 8, runs: { created: 0 }, error: { code: 'CONFLICT' } });
        expect(report.error?.message).toMatch(/is the source’s own: it holds the very run [0-9a-f]{32}/);
      }
    expect(await takeSnapshot(await server())).toEqual(before);
    const elsewhere = await copyReport(['copy', url, alias, '--rename', '*=copy of *']);
    expect(elsewhere).toMatchObject({ failures: [] });
    expect(elsewhere.runs.created).toBe(elsewhere.runs.read);
  });
});
