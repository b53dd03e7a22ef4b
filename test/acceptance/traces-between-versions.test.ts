import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { logOlderTraces, logTraces, viewTraces } from '../servers/mlflow-client.ts';
import { startServer, type TestServer } from '../servers/start-server.ts';
import { readBothWays } from './database-lines.ts';
import { copyReport, runMlferry } from './run-mlferry.ts';

type View = Awaited<ReturnType<typeof viewTraces>>;

/** `MLFERRY_TEST_LONG=1`: directories of every version. */
const long = process.env.MLFERRY_TEST_LONG === '1';

let newest: TestServer;
let seen: View;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'mlferry-traces-'));
  newest = await startServer();
  await logTraces(newest);
  seen = await viewTraces(newest);
}, 300_000);
afterAll(async () => {
  await newest?.stop();
  await rm(directory, { recursive: true, force: true });
});

async function mustBeSame(from: string, to: string, traces: number, status = 0) {
  const verified = await runMlferry(['verify', from, to, '--experiment', 'traced', '--json']);
  expect(JSON.parse(verified.stdout)).toMatchObject({ items: [], objects: { traces: { same: traces } } });
  expect(verified.status).toBe(status);
}

/** What every version has, without ids that a server gives. */
function plain({ traces }: View) {
  return traces.map(({ state, times, metadata, tags, spans }) => ({ state, times, metadata, tags, spans }));
}

describe.each(['2.22.5', '3.1.4'] as const)('traces of MLflow %s', (version) => {
  it('go to the newest with their ids, and the newest to it with ids of its own', async () => {
    await using older = await startServer({ version });
    await logOlderTraces(older);
    const own = await viewTraces(older);
    expect(own.traces.map(({ state, spans }) => [state, spans.length])).toEqual([
      ['OK', 5],
      ['OK', 3],
      ['ERROR', 1],
    ]);
    await using target = await startServer();
    for (const created of [3, 0]) {
      const report = await copyReport(['copy', older.url, target.url]);
      expect(report).toMatchObject({ exit_status: 0, losses: [], failures: [] });
      expect(report.objects).toMatchObject({ traces: { created, unchanged: 3 - created } });
    }
    await mustBeSame(older.url, target.url, 3);
    const there = await viewTraces(target);
    expect(plain(there)).toEqual(plain(own));
    expect(there.traces.map(({ trace_id }) => trace_id)).toEqual(own.traces.map(({ trace_id }) => trace_id));

    const into = ['copy', newest.url, older.url, '--rename', 'traced=of the newest'];
    const report = await copyReport(into);
    expect(report).toMatchObject({ exit_status: 3, failures: [], objects: { traces: { created: 4 } } });
    expect(Object.keys(report.loss_counts)).toEqual(['TRACE_FIELDS']);
    expect((await copyReport(into)).objects).toMatchObject({ traces: { created: 0, unchanged: 4 } });
    const all = await viewTraces(older);
    const copies = { ...all, traces: all.traces.filter(({ experiment }) => experiment !== 'traced') };
    expect(plain(copies)).toEqual(plain(seen));
    const archive = join(directory, `${version}.tar`);
    expect(await copyReport(['copy', older.url, archive])).toMatchObject({ losses: [], failures: [] });
    await mustBeSame(older.url, archive, 3);
    expect(await readBothWays(older)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
    // Its directories, too, which are alike in both.
    if (!long && version !== '2.22.5') return;
    const store = { url: join(directory, version), version };
    await logOlderTraces(store);
    await using fromStore = await startServer();
    expect(await copyReport(['copy', store.url, fromStore.url])).toMatchObject({ losses: [], failures: [] });
    expect(plain(await viewTraces(fromStore))).toEqual(plain(await viewTraces(store)));
    await mustBeSame(store.url, fromStore.url, 3);
  });
});

/** MLflow 3.6 shows empty lists and objects as None, though it keeps them: verify sees them there. */
const loose = (view: View): unknown =>
  JSON.parse(JSON.stringify(view).replaceAll('"{}"', '"None"').replaceAll('[{}]', '[None]'));

describe('traces of MLflow 3.6.0', () => {
  it('and those of the newest go to each other as they are', async () => {
    await using older = await startServer({ version: '3.6.0' });
    await logTraces(older);
    const own = await viewTraces(older);
    await using target = await startServer();
    expect(await copyReport(['copy', older.url, target.url])).toMatchObject({ losses: [], failures: [] });
    expect(await viewTraces(target)).toEqual(own);
    expect(await readBothWays(older)).toMatchObject({ onlyServer: [], onlyDatabase: [] });
    await mustBeSame(older.url, target.url, 4);
    await using back = await startServer({ version: '3.6.0' });
    expect(await copyReport(['copy', newest.url, back.url])).toMatchObject({ losses: [], failures: [] });
    // It has only the tag that tells which prompts a trace used.
    expect(loose(await viewTraces(back))).toEqual(loose({ ...seen, prompted: [] }));
    await mustBeSame(newest.url, back.url, 4);
    expect((await copyReport(['copy', newest.url, back.url])).objects).toMatchObject({
      traces: { unchanged: 4 },
    });
  });
});
