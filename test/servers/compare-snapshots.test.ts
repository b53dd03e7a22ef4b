import { describe, expect, test } from 'vitest';
import { differences } from './compare-snapshots.ts';
import type { RunSnapshot, Snapshot } from './snapshot.ts';

const parent = 'a'.repeat(32);
const run = 'b'.repeat(32);
const parentCopy = 'c'.repeat(32);
const copy = 'd'.repeat(32);

const runOf = (fields: Partial<RunSnapshot>): RunSnapshot => ({
  run_id: run,
  experiment_id: '1',
  run_name: 'a run',
  user_id: 'somebody',
  status: 'FINISHED',
  start_time: 1,
  end_time: 2,
  lifecycle_stage: 'active',
  artifact_uri: `mlflow-artifacts:/1/${run}/artifacts`,
  params: { lr: '0.1' },
  tags: { 'mlflow.parentRunId': parent, model: `runs:/${run}/model` },
  latest: { loss: '2 3 nan' },
  history: { loss: ['1 2 -0.0', '2 3 nan', '2 3 nan'] },
  inputs: [
    {
      ...{ name: 'train', digest: 'd', source_type: 'local', schema: null, profile: null, tags: {} },
      source: `mlflow-artifacts:/1/${run}/artifacts/train.csv`,
    },
  ],
  artifacts: { 'model/MLmodel': { size: 3, read: 3, sha256: '00' } },
  ...fields,
});

const snapshotOf = (runs: RunSnapshot[], stage = 'active'): Snapshot => ({
  mlflow: '3',
  experiments: [
    { experiment_id: runs[0]?.experiment_id ?? '', name: 'e', lifecycle_stage: stage, tags: { a: 'b' } },
  ],
  runs,
});

const parentOf = (run_id: string, tags: RunSnapshot['tags']) =>
  runOf({ run_id, run_name: 'parent', artifact_uri: '', tags, inputs: [] });
const source = snapshotOf([parentOf(parent, {}), runOf({})]);
const copied = (fields: Partial<RunSnapshot> = {}) =>
  runOf({
    run_id: copy,
    experiment_id: '7',
    artifact_uri: `mlflow-artifacts:/7/${copy}/artifacts`,
    tags: {
      'mlflow.parentRunId': parentCopy,
      model: `runs:/${copy}/model`,
      'mlferry.origin': `f/${run}`,
      'mlferry.digest': 'x',
    },
    inputs: runOf({}).inputs.map((input) => ({
      ...input,
      source: `mlflow-artifacts:/7/${copy}/artifacts/train.csv`,
    })),
    history: { loss: ['2 3 nan', '1 2 -0.0', '2 3 nan'] },
    ...fields,
  });
const target = (fields: Partial<RunSnapshot> = {}) =>
  snapshotOf([
    { ...parentOf(parentCopy, { 'mlferry.origin': `f/${parent}` }), experiment_id: '7' },
    copied(fields),
  ]);

describe('differences', () => {
  test('finds none in a right copy with new ids and another order of points', () => {
    expect(differences(source, target())).toEqual([]);
  });

  test.for<[what: string, fields: Partial<RunSnapshot>, said: RegExp]>([
    ['status', { status: 'RUNNING' }, /^run a run: status: "FINISHED" → "RUNNING"$/],
    ['times', { end_time: null }, /end_time: "2" → "null"/],
    ['stage', { lifecycle_stage: 'deleted' }, /lifecycle_stage/],
    ['a param', { params: { lr: '0.10' } }, /param lr: "0.1" → "0.10"/],
    ['a param too many', { params: { lr: '0.1', more: '' } }, /param more: nothing → ""/],
    ['an id that was not mapped', { tags: { ...copied().tags, model: `runs:/${run}/model` } }, /tag model/],
    [
      'a parent that was not mapped',
      { tags: { ...copied().tags, 'mlflow.parentRunId': parent } },
      /tag mlflow.parentRunId/,
    ],
    [
      'a point that is missing',
      { history: { loss: ['1 2 -0.0', '2 3 nan'] } },
      /history loss: "2 3 nan" → ""/,
    ],
    [
      'the sign of zero',
      { history: { loss: ['1 2 0.0', '2 3 nan', '2 3 nan'] } },
      /history loss: "1 2 -0.0" → "1 2 0.0"/,
    ],
    ['a latest value', { latest: { loss: '1 2 -0.0' } }, /latest loss/],
    ['an input', { inputs: [] }, /input train d/],
    [
      'bytes',
      { artifacts: { 'model/MLmodel': { size: 3, read: 3, sha256: '01' } } },
      /artifact model\/MLmodel/,
    ],
    [
      'another run',
      { tags: { 'mlferry.origin': `f/${'e'.repeat(32)}` } },
      /run a run: all: "there" → nothing/,
    ],
  ])('finds %s', ([, fields, said]) => {
    expect(differences(source, target(fields)).join('\n')).toMatch(said);
  });

  test('finds a run copied twice, an experiment of another stage and one too many', () => {
    const twice = { ...target(), runs: [...target().runs, copied({ run_id: 'f'.repeat(32) })] };
    expect(differences(source, twice)).toEqual([expect.stringContaining('second copy')]);
    expect(
      differences(source, { ...target(), experiments: snapshotOf(target().runs, 'deleted').experiments }),
    ).toEqual(['experiment e: lifecycle_stage: "active" → "deleted"']);
    const more = [
      ...target().experiments,
      { experiment_id: '8', name: 'x', lifecycle_stage: 'active', tags: {} },
    ];
    expect(differences(source, { ...target(), experiments: more })).toEqual([
      'experiment x: all: nothing → "there"',
    ]);
  });
});
