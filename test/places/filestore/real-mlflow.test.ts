import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openFileStoreWriter } from '../../../src/places/filestore/write/writer.ts';
import { runPython } from '../../servers/run-python.ts';
import type { MlflowVersion } from '../../servers/versions.ts';
import { makeExperiment, makeRun, testOptions, type Workspace, writeWorkspace } from '../memory-workspace.ts';
import { type ClientView, clientView, viewOf } from './client-view.ts';
import { copyStore, readStore, treeOf } from './store.ts';

const VERSIONS: readonly MlflowVersion[] = ['2.9.2', '2.22.5', '3.17.2'];

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'filestore-real-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Without mlferry's own tags. */
const withoutMarks = (view: ClientView): ClientView => ({
  ...view,
  runs: view.runs.map((run) => ({
    ...run,
    tags: Object.fromEntries(Object.entries(run.tags).filter(([key]) => !key.startsWith('mlferry.'))),
  })),
});

/**
 * Where MLflow itself sees less than there is: points that name a dataset lose their step, and the artifacts of runs
 * in the trash are looked for where they were before.
 */
const asMlflowSees = (view: ClientView, trashed: string | undefined): ClientView => ({
  ...view,
  runs: view.runs.map((run) => ({ ...run, artifacts: run.run_id === trashed ? {} : run.artifacts })),
});

describe.each(VERSIONS)('an mlruns directory of MLflow %s', (version) => {
  let root: string;
  let runs: Record<string, string>;
  let own: ClientView;
  beforeAll(async () => {
    root = join(dir, version, 'mlruns');
    const script = new URL('make_mlruns.py', import.meta.url);
    runs = z.record(z.string(), z.string()).parse(JSON.parse(await runPython(version, script, [root])));
    own = await clientView(version, root);
  });

  it('is read as its own client reads it', async () => {
    const { workspace, failures, losses } = await readStore(root);
    expect(failures).toEqual([]);
    expect(own.runs).toHaveLength(Object.keys(runs).length);
    expect(viewOf(workspace)).toEqual(own);
    const codes = losses.map(({ code, count }) => `${code} ${count ?? 1}`);
    expect(codes.sort()).toEqual(version === '3.17.2' ? ['MODEL_LINKS 1'] : []);
  });

  it('is copied so that the client of every version that can read it sees the same', async () => {
    const target = join(dir, version, 'copy');
    const { report } = await copyStore(root, target);
    expect(report.failures).toEqual([]);
    expect(report.runs).toMatchObject({ created: Object.keys(runs).length, failed: 0 });
    // MLflow 2 takes the directory of an experiment's logged models for a broken run, and gives up.
    for (const other of version === '3.17.2' ? [version] : VERSIONS) {
      const seen = withoutMarks(await clientView(other, target));
      expect(asMlflowSees(seen, runs['in deleted experiment'])).toEqual(
        asMlflowSees(own, runs['in deleted experiment']),
      );
    }
    const again = withoutMarks(viewOf((await readStore(target)).workspace));
    expect(again).toEqual(viewOf((await readStore(root)).workspace));
  });

  it('is not written twice', async () => {
    const target = join(dir, version, 'copy');
    const before = await treeOf(target);
    const { report } = await copyStore(root, target);
    expect(report.runs).toMatchObject({ created: 0, updated: 0, unchanged: Object.keys(runs).length });
    expect(report.experiments.created).toBe(0);
    expect(report.sent).toEqual({ points: 0, artifacts: 0, artifact_bytes: 0 });
    expect(await treeOf(target)).toEqual(before);
  });
});

it('a run with 1,200 keys and one with 30,000 points are copied whole', async () => {
  const keys = Array.from({ length: 1200 }, (_, n) => `group${n % 7}/key ${n}`).sort();
  const wide = await makeRun(
    { run_id: 'a'.repeat(32), start_time: 1 },
    keys.map((key, n) => [key, [[n, n, n / 10]]]),
  );
  const points = Array.from({ length: 30_000 }, (_, n): [number, number, number] => [
    n,
    1.7e12 + n,
    Math.sin(n),
  ]);
  const long = await makeRun({ run_id: 'b'.repeat(32), start_time: 2 }, [['loss', points]]);
  const made: Workspace = [{ experiment: makeExperiment(), runs: [wide, long] }];
  const target = join(dir, 'large');
  const { options, failures } = testOptions(dir);
  await writeWorkspace(made, await openFileStoreWriter({ path: target }, options));
  expect(failures).toEqual([]);
  const seen = await clientView('3.17.2', target);
  expect(withoutMarks({ experiments: [], runs: seen.runs })).toEqual({
    experiments: [],
    runs: viewOf(made).runs,
  });
});
