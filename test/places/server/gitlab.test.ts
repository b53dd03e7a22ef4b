import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { copyBetween } from '../../../src/copy/copy-between.ts';
import { deleteExperiments } from '../../../src/manage/delete-experiments.ts';
import { deleteRuns } from '../../../src/manage/delete-runs.ts';
import { moveRuns } from '../../../src/move/move-runs.ts';
import { verify } from '../../../src/verify/verify.ts';
import { startFakeGitlab } from './fake-gitlab.ts';

const SAMPLES = fileURLToPath(new URL('../../../samples/mlruns', import.meta.url));
const ALL = { selection: { view: 'all' as const } };

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-gitlab-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

it('takes runs with points, params and tags; the rest is a reported loss, and nothing is deleted for good', async () => {
  const { url, fake, runs } = await startFakeGitlab();
  const { report } = await copyBetween(SAMPLES, url, ALL);
  expect(report).toMatchObject({ exit_status: 3, failures: [], runs: { created: 11, failed: 0 } });
  expect(report.loss_counts).toMatchObject({
    INPUTS_NOT_HELD: 8,
    ARTIFACTS_UNREACHABLE: 17,
    NOT_DELETED: 1,
    VALUE_CONFLICT: 11,
  });
  expect(runs.size).toBe(11);
  expect(fake.to('/runs/log-inputs')).toHaveLength(1);
  expect([...fake.to('/runs/delete'), ...fake.to('/experiments/delete')]).toEqual([]);

  const verified = await verify(SAMPLES, url, ALL);
  expect(verified.items).toEqual([]);
  expect(verified).toMatchObject({ exit_status: 3, runs: { same: 11 } });

  const { report: again } = await copyBetween(SAMPLES, url, ALL);
  expect(again).toMatchObject({ runs: { created: 0, failed: 0 }, sent: { points: 0, artifacts: 0 } });
  expect(runs.size).toBe(11);
});

it('gives all that it holds, of several experiments, whatever is asked of its search', async () => {
  const { url } = await startFakeGitlab();
  await copyBetween(SAMPLES, url, ALL);
  const archive = join(dir, 'gitlab.tar');
  const { report } = await copyBetween(url, archive, ALL);
  expect(report).toMatchObject({ failures: [], runs: { created: 11 } });
  expect((await verify(url, archive, ALL)).items).toEqual([]);
  const { report: some } = await copyBetween(url, join(dir, 'some.tar'), {
    selection: { filter: "params.alpha = '0.1'" },
  });
  expect(some.runs.created).toBeGreaterThan(0);
  expect(some.runs.created).toBeLessThan(11);
  const { report: deleted } = await copyBetween(url, join(dir, 'none.tar'), {
    selection: { view: 'deleted' },
  });
  expect(deleted.runs).toMatchObject({ read: 0 });
});

it('is not told to delete: nothing could bring it back', async () => {
  const { url, fake, runs } = await startFakeGitlab();
  await copyBetween(SAMPLES, url);
  const before = runs.size;
  const confirm = async () => true;
  const ofRuns = await deleteRuns(url, { selection: { filter: "attributes.status = 'FINISHED'" }, confirm });
  const ofExperiments = await deleteExperiments(url, {
    selection: { experiments: ['wine-classifier'] },
    confirm,
  });
  for (const { changed, failures } of [ofRuns, ofExperiments]) {
    expect(changed).toBe(0);
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['UNSUPPORTED']));
  }
  const selection = { experiments: ['wine-classifier'] };
  await expect(moveRuns(url, { to: 'elsewhere', create: true, selection, confirm })).rejects.toMatchObject({
    code: 'UNSUPPORTED',
  });
  expect(runs.size).toBe(before);
  expect([...fake.to('/runs/delete'), ...fake.to('/experiments/delete')]).toEqual([]);
});
