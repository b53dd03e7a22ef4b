import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyReport, runMlferry } from '../../acceptance/run-mlferry.ts';
import { type LimitingProxy, startLimitingProxy } from '../../faults/limiting-proxy.ts';
import { startFaultProxy } from '../../faults/proxy.ts';
import { makeSmallWorkspace } from '../../faults/small-workspace.ts';
import { sharedServer } from '../../servers/shared-server.ts';

describe('a proxy before the target that limits requests and forbids a file', () => {
  const source = sharedServer();
  const target = sharedServer();
  let proxy: LimitingProxy;
  beforeAll(async () => {
    await makeSmallWorkspace((await source()).url);
    proxy = await startLimitingProxy((await target()).url);
  });
  afterAll(() => proxy.close());

  it('costs those files and nothing else; when it lets them through the same command completes the run', async () => {
    const from = (await source()).url;
    proxy.limit = 50_000;
    proxy.forbidden = /notes\.txt/;
    const command = ['copy', from, proxy.url, '--view', 'all'];
    const report = await copyReport(command);
    expect(report).toMatchObject({ exit_status: 3, runs: { failed: 0, created: report.runs.read } });
    expect(
      report.failures.map(({ code, object }) => [code, object.replace(/[0-9a-f]{32}/, 'ID')]).sort(),
    ).toEqual([
      ['DENIED', 'artifact "notes.txt" of run ID of experiment "main"'],
      ['REFUSED', 'artifact "model/weights.bin" of run ID of experiment "main"'],
    ]);
    expect(JSON.stringify(report.failures)).toContain('client_max_body_size');
    // All points went through, in smaller requests.
    expect(report.sent.points).toBeGreaterThan(1100);

    const again = await copyReport(command);
    expect(again).toMatchObject({ exit_status: 3, sent: { points: 0, artifacts: 0 } });
    proxy.limit = Number.POSITIVE_INFINITY;
    proxy.forbidden = /^$/;
    const mended = await copyReport(command);
    expect(mended).toMatchObject({ exit_status: 0, failures: [], sent: { points: 0, artifacts: 2 } });
    expect((await runMlferry(['verify', from, proxy.url, '--view', 'all'])).status).toBe(0);
    expect(await copyReport(command)).toMatchObject({
      sent: { points: 0, artifacts: 0 },
      runs: { updated: 0 },
    });
  });
});

describe('a target that has no dataset inputs', () => {
  const source = sharedServer();
  const target = sharedServer();

  it('takes everything else of a run, and they are a reported loss', async () => {
    const from = (await source()).url;
    await makeSmallWorkspace(from);
    const proxy = await startFaultProxy((await target()).url);
    const body = '{"error_code":"ENDPOINT_NOT_FOUND","message":"Not found"}';
    proxy.play([{ route: 'runs/log-inputs', nth: 'every', action: { do: 'answer', status: 404, body } }]);
    try {
      const report = await copyReport(['copy', from, proxy.url]);
      expect(report).toMatchObject({ exit_status: 3, failures: [], loss_counts: { INPUTS_NOT_HELD: 1 } });
      expect(report.runs.created).toBe(report.runs.read);
      expect((await copyReport(['copy', from, proxy.url])).runs).toMatchObject({ created: 0, updated: 0 });
    } finally {
      await proxy.close();
    }
  });
});
