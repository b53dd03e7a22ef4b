import { describe, expect, it } from 'vitest';
import { remapRun, runReferences } from '../../src/kinds/remap.ts';
import type { Run } from '../../src/model/records.ts';

const id = (digit: string) => digit.repeat(32);

const source = (part: Partial<Run>): Run => ({
  kind: 'run',
  run_id: id('a'),
  experiment_id: '1',
  run_name: 'r',
  user_id: 'u',
  status: 'FINISHED',
  start_time: 1,
  end_time: 2,
  lifecycle_stage: 'active',
  artifact_uri: `mlflow-artifacts:/1/${id('a')}/artifacts`,
  params: {},
  tags: {},
  dataset_inputs: [],
  latest_metrics: {},
  ...part,
});

const own = { run_id: id('1'), experiment_id: '9', artifact_uri: `mlflow-artifacts:/9/${id('1')}/artifacts` };

describe('remapRun', () => {
  it('gives the run its own ids', () => {
    const { run_id, experiment_id, artifact_uri } = remapRun(source({}), own, new Map());
    expect({ run_id, experiment_id, artifact_uri }).toEqual(own);
  });

  it('maps parent and root, and keeps a parent that is not known under mlferry.origin_parent', () => {
    const run = source({ tags: { 'mlflow.parentRunId': id('b'), 'mlflow.rootRunId': id('c') } });
    expect(remapRun(run, own, new Map([[id('b'), id('2')]])).tags).toEqual({
      'mlflow.parentRunId': id('2'),
      'mlflow.rootRunId': id('c'),
    });
    expect(remapRun(run, own, new Map()).tags).toEqual({
      'mlferry.origin_parent': id('b'),
      'mlflow.rootRunId': id('c'),
    });
  });

  it('rewrites run ids and the artifact root in the model history and keeps other ids', () => {
    const entry = (run: string, uri: string) =>
      JSON.stringify([{ run_id: run, artifact_path: uri, model_uuid: id('f'), flavors: { a: 1.0 } }]);
    const run = source({
      tags: { 'mlflow.log-model.history': entry(id('a'), `mlflow-artifacts:/1/${id('a')}/artifacts/model`) },
    });
    expect(remapRun(run, own, new Map()).tags).toEqual({
      'mlflow.log-model.history': entry(id('1'), `mlflow-artifacts:/9/${id('1')}/artifacts/model`),
    });
  });

  it('rewrites runs:/ URIs in tags and dataset sources, not bare ids in free text', () => {
    const ids = new Map([[id('b'), id('2')]]);
    const run = source({
      tags: {
        note: `see runs:/${id('b')}/model and runs:/${id('a')}/x and runs:/${id('d')}/y; id ${id('b')}`,
      },
      dataset_inputs: [
        {
          dataset: {
            name: 'd',
            digest: 'x',
            source_type: 's',
            source: `{"uri":"runs:/${id('b')}/data.csv"}`,
          },
          tags: {},
        },
      ],
    });
    const target = remapRun(run, own, ids);
    expect(target.tags.note).toBe(
      `see runs:/${id('2')}/model and runs:/${id('1')}/x and runs:/${id('d')}/y; id ${id('b')}`,
    );
    expect(target.dataset_inputs[0]?.dataset.source).toBe(`{"uri":"runs:/${id('2')}/data.csv"}`);
  });

  it('does not take a longer path for the artifact root', () => {
    const run = source({ artifact_uri: '/m/1/a', tags: { x: '/m/1/a/f /m/1/ab/f' } });
    expect(remapRun(run, { ...own, artifact_uri: '/t' }, new Map()).tags.x).toBe('/t/f /m/1/ab/f');
  });

  it('keeps where a copy of a copy came from and drops the marks of the earlier copy', () => {
    const run = source({
      tags: {
        'mlferry.origin': 'fp/old',
        'mlferry.digest': 'd',
        'mlferry.earlier_origins': 'fp0/older',
        __proto: 'x',
      },
    });
    expect(remapRun(run, own, new Map()).tags).toEqual({
      'mlferry.earlier_origins': 'fp0/older\nfp/old',
      __proto: 'x',
    });
  });

  it('keeps a tag named __proto__', () => {
    const tags = JSON.parse('{"__proto__":"x"}');
    expect(Object.entries(remapRun(source({ tags }), own, new Map()).tags)).toEqual([['__proto__', 'x']]);
  });
});

describe('runReferences', () => {
  it('finds other runs in tags and dataset sources, not the run itself', () => {
    const run = source({
      tags: {
        'mlflow.parentRunId': id('b'),
        'mlflow.log-model.history': `[{"run_id": "${id('c')}", "model_uuid": "${id('f')}"}]`,
        own: `runs:/${id('a')}/x`,
        note: `runs:/${id('d')}/y`,
      },
      dataset_inputs: [
        { dataset: { name: 'd', digest: 'x', source_type: 's', source: `runs:/${id('e')}` }, tags: {} },
      ],
    });
    const { tags, inputs } = runReferences(run);
    expect([...tags]).toEqual([
      ['mlflow.parentRunId', [id('b')]],
      ['mlflow.log-model.history', [id('c')]],
      ['note', [id('d')]],
    ]);
    expect(inputs).toEqual([id('e')]);
  });
});
