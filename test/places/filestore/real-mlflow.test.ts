import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { MlflowVersion } from '../../servers/versions.ts';
import { type ClientView, clientView, runPython, viewOf } from './client-view.ts';
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
  beforeAll(async () => {
    root = join(dir, version, 'mlruns');
    const script = fileURLToPath(new URL('make_mlruns.py', import.meta.url));
    runs = z.record(z.string(), z.string()).parse(JSON.parse(await runPython(version, script, root)));
  });

  it('is read as its own client reads it', async () => {
    const { workspace, failures, losses } = await readStore(root);
    expect(failures).toEqual([]);
    const own = await clientView(version, root);
    expect(own.runs).toHaveLength(Object.keys(runs).length);
    expect(viewOf(workspace)).toEqual(own);
    const codes = losses.map(({ code, count }) => `${code} ${count ?? 1}`);
    expect(codes.sort()).toEqual(version === '3.17.2' ? ['LOGGED_MODELS 1', 'MODEL_LINKS 1', 'MODEL_LINKS 2'] : []);
  });

  it('is copied so that the client of every version sees the same', async () => {
    const target = join(dir, version, 'copy');
    const { report } = await copyStore(root, target);
    expect(report.failures).toEqual([]);
    expect(report.runs).toMatchObject({ created: Object.keys(runs).length, failed: 0 });
    const source = await clientView(version, root);
    for (const other of VERSIONS) {
      const seen = withoutMarks(await clientView(other, target));
      expect(asMlflowSees(seen, runs['in deleted experiment'])).toEqual(asMlflowSees(source, runs['in deleted experiment']));
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
