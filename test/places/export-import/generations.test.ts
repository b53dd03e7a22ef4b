import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ALL_ACTIVE } from '../../../src/model/selection.ts';
import { openReader } from '../../../src/places/open.ts';
import { readerOptions, readWorkspace, type Workspace } from '../memory-workspace.ts';

/** Exports that mlflow-export-import itself wrote, by the time its format became so. */
const exported = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/export-import/${name}`, import.meta.url));

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'mlferry-export-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

async function read(name: string) {
  const { options, losses, failures } = readerOptions(dir);
  const reader = await openReader(exported(name), options);
  const workspace = await readWorkspace(reader, { ...ALL_ACTIVE, view: 'all' });
  return { workspace, losses, failures, info: reader.info };
}

const runsOf = (workspace: Workspace, name: string) =>
  workspace.find(({ experiment }) => experiment.name === name)?.runs ?? [];

/** Without dataset inputs, which the format has since October 2023. */
const withoutInputs = (workspace: Workspace) =>
  workspace.map(({ experiment, runs }) => ({
    experiment,
    runs: runs.map((each) => ({ ...each, run: { ...each.run, dataset_inputs: [] } })),
  }));

describe('a whole server, exported by each generation of mlflow-export-import', () => {
  it('is read with every value, of the run that has most', async () => {
    const { workspace, failures, info } = await read('2025-08/all');
    expect(failures).toEqual([]);
    expect(info).toMatchObject({ kind: 'export-import' });
    expect(workspace.map(({ experiment, runs }) => [experiment.name, runs.length])).toEqual([
      ['Default', 0],
      ['wine', 4],
      ['empty', 0],
    ]);
    expect(workspace[1]?.experiment).toMatchObject({
      experiment_id: '1',
      tags: { team: 'cellar', 'mlflow.note.content': 'grapes' },
      lifecycle_stage: 'active',
      creation_time: expect.any(Number),
    });
    const [parent, child, failed, running] = runsOf(workspace, 'wine');
    expect(parent?.run).toMatchObject({
      run_name: 'parent',
      user_id: 'bacchus',
      status: 'FINISHED',
      start_time: 1_690_000_000_000,
      end_time: 1_690_000_060_000,
      params: { lr: '0.1', note: 'ünïcode "x"' },
      dataset_inputs: [
        { dataset: { name: 'grapes', source_type: 'http' }, tags: { 'mlflow.data.context': 'train' } },
      ],
      latest_metrics: { acc: [1, 1_690_000_000_010, 0.5], loss: [11, 1_690_000_011_000, 1 / 12] },
    });
    expect(parent?.metrics.map(([key, points]) => [key, points.length])).toEqual([
      ['acc', 2],
      ['loss', 12],
    ]);
    expect(parent?.artifacts.map(([path, bytes]) => [path, bytes.length])).toEqual([
      ['a.txt', 6],
      ['deep/er/a.txt', 6],
      ['model/MLmodel', 74],
      ['model/w.bin', 64],
    ]);
    expect(child?.run.tags['mlflow.parentRunId']).toBe(parent?.run.run_id);
    expect(Object.fromEntries(child?.metrics ?? [])).toEqual({
      big: [['9007199254740993', 1_690_000_000_000, 1e300]],
      inf: [[1, 1_690_000_000_000, 1.7976931348623157e308]],
      nan: [[0, 1_690_000_000_000, 'NaN']],
      neg: [[-7, 1_690_000_000_000, -2.5]],
    });
    expect(failed?.run).toMatchObject({ status: 'FAILED', end_time: 1_690_000_009_100 });
    expect(running?.run).toMatchObject({ status: 'RUNNING', end_time: null });
  });

  it.each(['2022-12-04', '2022-12-06', '2023-03', '2023-10'])('%s: the same', async (generation) => {
    const { workspace, failures, losses, info } = await read(`${generation}/all`);
    const newer = await read('2025-08/all');
    expect(failures).toEqual([]);
    expect(workspace).toEqual(withoutInputs(newer.workspace));
    expect(info.fingerprint).toBe(newer.info.fingerprint);
    expect(losses).toContainEqual({
      code: 'NOT_EXPORTED',
      key: 'dataset_inputs',
      detail: 'Exports made before October 2023 do not hold the dataset inputs of runs',
    });
    expect(newer.losses.filter(({ code }) => code === 'NOT_EXPORTED')).toEqual([]);
  });

  it('2026-01: nested runs, NaN, dataset and model links, each run once', async () => {
    const { workspace, failures, losses } = await read('2026-01/all');
    expect(failures).toEqual([]);
    expect(losses.map(({ code, key }) => [code, key])).toEqual([['NOT_EXPORTED', 'prompts']]);
    const runs = runsOf(workspace, 'exp_a').map(({ run }) => run);
    expect(runs.map(({ run_name }) => run_name).toSorted()).toEqual(
      ['big', 'child', 'data', 'failed', 'nan', 'parent', 'running', 'small'].toSorted(),
    );
    const named = (name: string) => runs.find(({ run_name }) => run_name === name);
    expect(named('child')?.tags['mlflow.parentRunId']).toBe(named('parent')?.run_id);
    expect(Object.keys(named('big')?.params ?? {})).toHaveLength(120);
    expect(named('nan')?.latest_metrics).toMatchObject({
      n: [0, 1_680_000_000_000, 'NaN'],
      neg: [-5, 1_680_000_000_000, 1],
    });
    expect(named('data')?.dataset_inputs).toMatchObject([
      { dataset: { name: 'ds', digest: 'abc' }, tags: { 'mlflow.data.context': 'train' } },
    ]);
    const model = { model_id: 'm-b61b7f29d781405198d437b12080dc92' };
    expect(runsOf(workspace, 'exp_lm').map(({ run }) => run)).toMatchObject([
      { run_name: 'trainer', model_inputs: [model], model_outputs: [{ ...model, step: 0 }] },
    ]);
  });
});

describe('a part of a server', () => {
  it('deleted runs, where they were exported', async () => {
    const { workspace, losses } = await read('2025-08/experiment');
    const runs = runsOf(workspace, 'wine').map(({ run }) => [run.run_name, run.lifecycle_stage]);
    expect(runs).toContainEqual(['deleted', 'deleted']);
    expect(runs).toHaveLength(5);
    expect(losses.map(({ key }) => key)).toEqual(['deleted_time']);
  });

  it('one run: its experiment has no name in the export', async () => {
    const { workspace, losses } = await read('2025-08/run');
    const whole = await read('2025-08/all');
    expect(workspace.map(({ experiment }) => experiment.name)).toEqual(['experiment 1']);
    expect(workspace[0]?.runs).toEqual([runsOf(whole.workspace, 'wine')[0]]);
    expect(losses.map(({ code, key }) => [code, key])).toEqual([['NOT_EXPORTED', 'experiment']]);
  });

  it('a model version: its run and experiment', async () => {
    const { workspace } = await read('2025-08/model-version');
    const whole = await read('2025-08/all');
    expect(workspace.map(({ experiment }) => experiment.tags)).toEqual([
      { team: 'cellar', 'mlflow.note.content': 'grapes' },
    ]);
    expect(workspace[0]?.runs).toEqual([runsOf(whole.workspace, 'wine')[0]]);
  });
});
