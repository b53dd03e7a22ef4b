import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logTraces, viewTraces } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

let directory: string;
let source: TestServer;
let seen: Awaited<ReturnType<typeof viewTraces>>;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-traces-'));
  source = await startServer();
  await logTraces(source);
  seen = await viewTraces(source);
}, 300_000);
afterAll(async () => {
  await source?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function mustBeSame(from: string, to: string) {
  const { stdout, status } = await runMlferry(['verify', from, to, '--json']);
  expect(JSON.parse(stdout)).toMatchObject({ items: [], objects: { traces: { same: 4 } } });
  expect(status).toBe(0);
}

describe('traces', () => {
  it('are as the tests take them', () => {
    expect(seen.traces.map(({ state, in_store, spans }) => [state, in_store, spans.length])).toEqual([
      ['OK', false, 4],
      ...Array.from({ length: 3 }, () => [expect.any(String), true, expect.any(Number)]),
    ]);
    const valid = seen.traces.flatMap(({ assessments }) =>
      assessments.map(({ assessment_name, valid }) => [assessment_name, valid]),
    );
    expect(valid).toContainEqual(['good', false]);
    expect(seen.linked).toHaveLength(2);
  });

  it.each(['server', 'archive', 'stream'] as const)(
    'go to a server by way of: %s, with their ids, spans to the nanosecond and assessments',
    async (way) => {
      await using target = await startServer();
      const between =
        way === 'server' ? source.url : join(directory, { archive: 'all.tar', stream: 'all.ndjson' }[way]);
      if (way !== 'server') {
        const there = await copyReport(['copy', source.url, between]);
        expect(there).toMatchObject({ exit_status: 0, losses: [], objects: { traces: { created: 4 } } });
        await mustBeSame(source.url, between);
      }
      const dry = await copyReport(['copy', between, target.url, '--dry-run']);
      expect(dry.objects).toMatchObject({ traces: { read: 4, created: 4 } });
      expect((await viewTraces(target)).traces).toEqual([]);
      const report = await copyReport(['copy', between, target.url]);
      expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
      await mustBeSame(between, target.url);
      expect(await viewTraces(target)).toEqual(seen);
      const again = await copyReport(['copy', between, target.url]);
      expect(again.objects).toMatchObject({ traces: { created: 0, updated: 0, unchanged: 4 } });
    },
  );
});
