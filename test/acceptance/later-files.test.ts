import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copy } from '../../src/copy/copy.ts';
import { copyBetween } from '../../src/copy/copy-between.ts';
import { createLedger } from '../../src/job/ledger.ts';
import { ALL_PARTS } from '../../src/kinds/parts.ts';
import { ALL_ACTIVE } from '../../src/model/selection.ts';
import { openWriter } from '../../src/places/open.ts';
import type { RunReader } from '../../src/places/place.ts';
import { verify } from '../../src/verify/verify.ts';
import { memoryReader } from '../contract/memory-reader.ts';
import { type MemoryRun, makeExperiment, makeRun, testOptions } from '../places/memory-workspace.ts';
import { sharedServer } from '../servers/shared-server.ts';
import { startWatchedProxy } from './watched-proxy.ts';

const SAMPLES = fileURLToPath(new URL('../../samples/mlruns', import.meta.url));
/** An experiment of five finished runs with ten files; one of them. */
const EXPERIMENT = '327069844578935833';
const RUN = '7dabe929c4a344bf86cd75e9bb049a79';

const server = sharedServer();
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-later-files-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

let count = 0;
/** The samples in a directory of their own, and how to write into a run of them. */
async function sampleStore() {
  count += 1;
  const store = join(dir, `source-${count}`, 'mlruns');
  await cp(SAMPLES, store, { recursive: true });
  const put = (name: string, text: string) =>
    writeFile(join(store, EXPERIMENT, RUN, 'artifacts', name), text);
  return { store, put, own: count };
}

describe.each(['a server', 'an mlruns directory'])(
  'a file that came to a finished run, copied to %s',
  (kind) => {
    const targetOf = async (own: number) =>
      kind === 'a server' ? (await server()).url : join(dir, `target-${own}`, 'mlruns');
    const settings = (own: number) => ({
      selection: { experiments: [EXPERIMENT] },
      rename: [{ from: EXPERIMENT, to: `copy ${own}` }],
    });
    /** Copies, compares, and tells what was sent. */
    const copyAndVerify = async (from: string, to: string, own: number) => {
      const { report } = await copyBetween(from, to, settings(own));
      expect((await verify(from, to, settings(own))).exit_status).toBe(0);
      return {
        exit: report.exit_status,
        runs: report.runs,
        files: report.sent.artifacts,
        points: report.sent.points,
      };
    };

    it('is sent alone by the next copy of its directory, and so is one that has another size', async () => {
      const { store, put, own } = await sampleStore();
      const to = await targetOf(own);
      await put('notes.txt', 'before');
      expect(await copyAndVerify(store, to, own)).toMatchObject({ exit: 0, runs: { created: 5 }, files: 11 });
      await put('late.txt', 'it came later');
      expect(await copyAndVerify(store, to, own)).toMatchObject({
        ...{ exit: 0, files: 1, points: 0 },
        runs: { updated: 1, unchanged: 4 },
      });
      await put('notes.txt', 'longer than before');
      expect(await copyAndVerify(store, to, own)).toMatchObject({
        files: 1,
        runs: { updated: 1, unchanged: 4 },
      });
      expect(await copyAndVerify(store, to, own)).toMatchObject({ files: 0, runs: { unchanged: 5 } });
    });

    it('is sent by the next archive, and so is one of the same size with other bytes', async () => {
      const { store, put, own } = await sampleStore();
      const to = await targetOf(own);
      const take = async (name: string) => {
        const path = join(dir, `${own}-${name}.tar`);
        await copyBetween(store, path, { selection: { experiments: [EXPERIMENT] } });
        return path;
      };
      await put('notes.txt', 'before');
      const first = await take('first');
      await put('notes.txt', 'BEFORE');
      const second = await take('second');
      expect(await copyAndVerify(first, to, own)).toMatchObject({ exit: 0, files: 11 });
      expect(await copyAndVerify(second, to, own)).toMatchObject({
        ...{ exit: 0, files: 1, points: 0 },
        runs: { updated: 1, unchanged: 4 },
      });
      expect(await copyAndVerify(second, to, own)).toMatchObject({ files: 0, runs: { unchanged: 5 } });
      // Its directory has the same names and sizes.
      expect(await copyAndVerify(store, to, own)).toMatchObject({ files: 0, runs: { unchanged: 5 } });
    });
  },
);

describe.each(['a server', 'an mlruns directory', 'an archive', 'a bucket'])(
  'files of a server that were out of reach when its runs were copied to %s',
  (kind) => {
    it('come with a later copy, which asks for nothing else', async () => {
      count += 1;
      const name = `out of reach ${count}`;
      const { url } = await server();
      const archive = join(dir, `out-of-reach-${count}.tar`);
      const to = kind === 'an mlruns directory' ? join(dir, `out-of-reach-${count}`, 'mlruns') : url;
      if (kind === 'a bucket') {
        const answer = await fetch(`${url}/api/2.0/mlflow/experiments/create`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ name, artifact_location: 's3://nowhere/mlferry' }),
        });
        expect(answer.status).toBe(200);
      }
      const experiment = makeExperiment({ name });
      const point: MemoryRun['metrics'] = [['loss', [[0, 1_700_000_000_000, 0.5]]]];
      const runs = [
        await makeRun({ run_id: '1'.repeat(32) }, point, [['notes.txt', Buffer.from('of the run')]]),
        await makeRun({ run_id: '2'.repeat(32) }, point),
      ];
      let asked = 0;
      const counting = (run: RunReader): RunReader => ({
        ...run,
        metrics() {
          asked += 1;
          return run.metrics();
        },
      });
      const withoutFiles = (run: RunReader): RunReader => ({ ...counting(run), open: async () => undefined });
      const pass = async (target: string, spoil: typeof counting, parts = ALL_PARTS) => {
        asked = 0;
        const ledger = createLedger();
        const writer = await openWriter(target, testOptions(dir, { findings: ledger }).options);
        const { report } = await copy(memoryReader([{ experiment, runs }], spoil), writer, {
          ...{ selection: ALL_ACTIVE, ledger, concurrency: 4, rename: [], dryRun: false, parts },
          signal: new AbortController().signal,
        });
        const { exit_status: exit, runs: counts, sent, loss_counts: lost } = report;
        return { exit, lost, created: counts.created, files: sent.artifacts, points: sent.points };
      };
      if (kind === 'an archive') {
        // Taken without files: what it restores says that it had none.
        await pass(archive, counting, { ...ALL_PARTS, artifacts: false });
        expect(await copyBetween(archive, to)).toMatchObject({ report: { runs: { created: 2 } } });
      } else {
        if (kind === 'a bucket') {
          const lost = { ARTIFACTS_UNREACHABLE: 1 };
          expect(await pass(to, counting)).toEqual({ exit: 3, lost, created: 2, files: 0, points: 2 });
          // The server cannot list it either: that is a failure of the run.
          expect(await pass(to, counting)).toMatchObject({ exit: 3, created: 0, files: 0, points: 0 });
          return;
        }
        for (const [created, points] of [
          [2, 2],
          [0, 0],
        ])
          expect(await pass(to, withoutFiles)).toEqual({
            ...{ exit: 3, lost: { ARTIFACTS_NOT_CARRIED: 1 }, created, files: 0, points },
          });
      }
      expect(await pass(to, counting)).toEqual({ exit: 0, lost: {}, created: 0, files: 1, points: 0 });
      if (kind !== 'an mlruns directory') expect(asked).toBe(0);
      expect(await pass(to, counting)).toMatchObject({ exit: 0, files: 0 });
      expect(asked).toBe(0);
      if (kind === 'an archive')
        expect(await copyBetween(archive, to)).toMatchObject({ report: { runs: { unchanged: 2 } } });
    });
  },
);

it('costs page scans alone where there is none, from a directory and from an archive', async () => {
  const { store, own } = await sampleStore();
  const archive = join(dir, `${own}.tar`);
  const proxy = await startWatchedProxy((await server()).url);
  const settings = { rename: [{ from: '*', to: `scanned ${own} *` }] };
  // A run of the samples still goes on: it is looked at in any case.
  const selection = { filter: "attributes.status != 'RUNNING'" };
  try {
    await copyBetween(store, archive, { selection });
    await copyBetween(archive, proxy.url, settings);
    for (const from of [archive, store]) {
      proxy.reset();
      const { report } = await copyBetween(from, proxy.url, { ...settings, selection });
      expect(report).toMatchObject({ exit_status: 0, runs: { created: 0, updated: 0 } });
      const asked = new Set(proxy.requests.map(({ route }) => route));
      expect([...asked].filter((route) => !route.startsWith('GET ') && !route.endsWith('/search'))).toEqual(
        [],
      );
      expect([...asked].filter((route) => /artifacts|runs\/get|get-history/.test(route))).toEqual([]);
    }
  } finally {
    await proxy.close();
  }
});
