import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inspect } from '../../src/inspect/inspect.ts';
import { makeAnew } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

const SECRET = 'sk-nobody-is-told-this';
const COUNTS = {
  webhooks: 2,
  gateway_secrets: 1,
  gateway_model_definitions: 2,
  gateway_endpoints: 1,
  gateway_guardrails: 1,
  gateway_budget_policies: 1,
};
const ALL = Object.values(COUNTS).reduce((sum, count) => sum + count, 0);
const each = (outcome: string) =>
  Object.fromEntries(
    Object.entries(COUNTS).map(([kind, count]) => [kind, expect.objectContaining({ [outcome]: count })]),
  );

let directory: string;
let source: TestServer;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-make-anew-'));
  source = await startServer();
  await makeAnew(source, SECRET);
});
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('webhooks and the objects of the AI gateway', () => {
  it('are the same in the database and by its server', async () => {
    expect(await readBothWays(source)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
  });

  it('are told one by one, with all but their secrets, until somebody has made them on the target', async () => {
    await using target = await startServer();
    const stream = join(directory, 'all.ndjson');
    const kept = await copyReport(['copy', source.url, stream]);
    expect(kept).toMatchObject({ exit_status: 0, objects: each('created'), loss_counts: { MAKE_ANEW: ALL } });
    expect((await runMlferry(['verify', source.url, stream])).status).toBe(0);
    const lines = await readFile(stream, 'utf8');
    expect(lines).not.toContain(SECRET);
    expect(lines).toContain('"auth_config":{"api_base":"https://8.8.8.8/v1"}');
    expect((await inspect(source.url)).objects).toMatchObject({ webhooks: { count: 2 } });

    for (const from of [source.url, stream]) {
      for (const dry of [['--dry-run'], []]) {
        const report = await copyReport(['copy', from, target.url, ...dry]);
        expect(report).toMatchObject({ exit_status: 3, objects: each('not_held'), failures: [] });
        expect(report.loss_counts).toEqual({ MAKE_ANEW: ALL });
        const detail = report.losses.map((loss) => loss.detail).join('\n');
        expect(detail).toContain('"url":"https://8.8.8.8/hook?branch=main&token=***"');
        expect(detail).toContain('"model_definition":"small","linkage_type":"FALLBACK","weight":1');
        expect(detail).not.toContain(SECRET);
      }
      expect((await runMlferry(['verify', from, target.url])).status).toBe(3);
      const accepted = ['--accept-loss', 'MAKE_ANEW'];
      expect((await runMlferry(['verify', from, target.url, ...accepted])).status).toBe(0);
    }
    const without = ['--without', 'webhooks,gateway'];
    expect(await copyReport(['copy', source.url, target.url, ...without])).toMatchObject({
      exit_status: 0,
      losses: [],
      objects: each('left_out'),
    });
    const mlruns = await copyReport(['copy', source.url, join(directory, 'mlruns'), '--without', 'scorers']);
    expect(mlruns).toMatchObject({ exit_status: 3, loss_counts: { MAKE_ANEW: ALL } });

    await makeAnew(target, 'another-one');
    for (const from of [source.url, stream]) {
      const report = await copyReport(['copy', from, target.url]);
      expect(report).toMatchObject({ exit_status: 0, objects: each('unchanged'), losses: [] });
    }
    expect((await runMlferry(['verify', source.url, target.url])).status).toBe(0);
  });
});
