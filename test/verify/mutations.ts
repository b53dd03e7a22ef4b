import type { Experiment, Point, Run } from '../../src/model/records.ts';
import { type MemoryRun, makeExperiment, makeRun } from '../places/memory-workspace.ts';

/** An experiment with two runs, the first of which has something in every field. */
export interface Sample {
  readonly experiment: Experiment;
  readonly run: MemoryRun;
  readonly other: MemoryRun;
}

const T = 1_700_000_000_000;
const FIRST_ID = '1'.repeat(32);
const OTHER_ID = '2'.repeat(32);

/** The sample before anything is changed. */
export async function makeSample(): Promise<Sample> {
  const experiment = makeExperiment({ experiment_id: '7', name: 'churn', tags: { note: 'a', owner: 'b' } });
  const loss: Point[] = Array.from({ length: 1500 }, (_, step) => [step, T + step, step / 4]);
  const odd: Point[] = [
    [0, T, 'NaN'],
    [1, T, -0],
    [2, T, 'Infinity'],
    ['9007199254740993', T, 1],
    ['9007199254740995', T, 2],
  ];
  const run = await makeRun(
    {
      run_id: FIRST_ID,
      experiment_id: '7',
      run_name: 'first',
      start_time: T,
      params: { lr: '0.1', depth: '3' },
      tags: { 'mlflow.runName': 'first', note: 'x', kept: 'y' },
      dataset_inputs: [
        {
          dataset: {
            name: 'train',
            digest: 'd1',
            source_type: 'local',
            source: '{"uri": "a"}',
            schema: '{}',
            profile: '{"n": 1}',
          },
          tags: { 'mlflow.data.context': 'training' },
        },
      ],
    },
    [
      ['loss', loss],
      ['odd', odd],
    ],
    [
      ['model/weights.bin', Buffer.alloc(20_000, 7)],
      ['readme.txt', Buffer.from('hello')],
    ],
  );
  const other = await makeRun({
    run_id: OTHER_ID,
    experiment_id: '7',
    run_name: 'second',
    start_time: T + 1,
    tags: { 'mlflow.runName': 'second' },
  });
  return { experiment, run, other };
}

/** One change of the target, and the one field that must be named. */
export interface Mutation {
  readonly field: string;
  readonly change: (sample: Sample) => Sample | Promise<Sample>;
  /** The verdict is one of the experiment. */
  readonly ofExperiment?: true;
  /** Fields that only archives and streams keep. */
  readonly keptOnly?: true;
}

const record =
  (fields: Partial<Run>) =>
  (sample: Sample): Sample => ({ ...sample, run: { ...sample.run, run: { ...sample.run.run, ...fields } } });

const map = (name: 'params' | 'tags', change: (values: Record<string, string>) => Record<string, string>) => {
  return (sample: Sample) => record({ [name]: change({ ...sample.run.run[name] }) })(sample);
};

const without = (key: string) => (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).filter(([each]) => each !== key));

const series = (key: string, change: (points: readonly Point[]) => readonly Point[]) => {
  return async (sample: Sample): Promise<Sample> => {
    const metrics = sample.run.metrics
      .map(([name, points]) => [name, name === key ? change(points) : points] as const)
      .filter(([, points]) => points.length > 0);
    const { latest_metrics: _, ...fields } = sample.run.run;
    return { ...sample, run: await makeRun(fields, metrics, sample.run.artifacts) };
  };
};

const dataset = (
  fields: Partial<Run['dataset_inputs'][number]['dataset']>,
  tags?: Record<string, string>,
) => {
  return (sample: Sample) =>
    record({
      dataset_inputs: sample.run.run.dataset_inputs.map((input) => ({
        dataset: { ...input.dataset, ...fields },
        tags: tags ?? input.tags,
      })),
    })(sample);
};

const files =
  (change: (artifacts: MemoryRun['artifacts']) => MemoryRun['artifacts']) => (sample: Sample) => ({
    ...sample,
    run: { ...sample.run, artifacts: change(sample.run.artifacts) },
  });

const experiment = (fields: Partial<Experiment>) => (sample: Sample) => ({
  ...sample,
  experiment: { ...sample.experiment, ...fields },
});

/** A change of every field of the schema. */
export const mutations: Readonly<Record<string, Mutation>> = {
  'run name': { field: 'run_name', change: record({ run_name: 'another' }) },
  status: { field: 'status', change: record({ status: 'FAILED' }) },
  'start time': { field: 'start_time', change: record({ start_time: T + 5 }) },
  'end time': { field: 'end_time', change: record({ end_time: T + 5 }) },
  'end time gone': { field: 'end_time', change: record({ end_time: null }) },
  user: { field: 'user_id', change: record({ user_id: 'else' }) },
  'param changed': { field: 'params.lr', change: map('params', (all) => ({ ...all, lr: '0.2' })) },
  'param added': { field: 'params.new', change: map('params', (all) => ({ ...all, new: '' })) },
  'param removed': { field: 'params.depth', change: map('params', without('depth')) },
  'tag changed': { field: 'tags.note', change: map('tags', (all) => ({ ...all, note: 'X' })) },
  'tag added': { field: 'tags.new', change: map('tags', (all) => ({ ...all, new: 'z' })) },
  'tag removed': { field: 'tags.kept', change: map('tags', without('kept')) },
  'step of a point': {
    field: 'metrics.loss',
    change: series('loss', (points) => points.with(700, [99_999, T + 700, 175])),
  },
  'time of a point': {
    field: 'metrics.loss',
    change: series('loss', (points) => points.with(700, [700, T + 701, 175])),
  },
  'value of a point': {
    field: 'metrics.loss',
    change: series('loss', (points) => points.with(700, [700, T + 700, 175.00000000000003])),
  },
  'value of the latest point': {
    field: 'metrics.loss',
    change: series('loss', (points) => points.with(1499, [1499, T + 1499, 0])),
  },
  'point missing': { field: 'metrics.loss', change: series('loss', (points) => points.toSpliced(3, 1)) },
  'point added': { field: 'metrics.loss', change: series('loss', (points) => [...points, [5, T, 1]]) },
  'point twice': { field: 'metrics.loss', change: series('loss', (points) => [...points, [5, T + 5, 1.25]]) },
  'series missing': { field: 'metrics.loss', change: series('loss', () => []) },
  'NaN became 0': { field: 'metrics.odd', change: series('odd', (points) => points.with(0, [0, T, 0])) },
  '-0 became 0': { field: 'metrics.odd', change: series('odd', (points) => points.with(1, [1, T, 0])) },
  'Infinity became the largest double': {
    field: 'metrics.odd',
    change: series('odd', (points) => points.with(2, [2, T, Number.MAX_VALUE])),
  },
  'a step beyond 2^53': {
    field: 'metrics.odd',
    change: series('odd', (points) => points.with(3, ['9007199254740994', T, 1])),
  },
  'dataset name': { field: 'dataset_inputs.train.name', change: dataset({ name: 'other' }) },
  'dataset digest': { field: 'dataset_inputs.train.digest', change: dataset({ digest: 'd2' }) },
  'dataset source type': {
    field: 'dataset_inputs.train.source_type',
    change: dataset({ source_type: 's3' }),
  },
  'dataset source': { field: 'dataset_inputs.train.source', change: dataset({ source: '{}' }) },
  'dataset schema': { field: 'dataset_inputs.train.schema', change: dataset({ schema: '{"a": 1}' }) },
  'dataset profile': { field: 'dataset_inputs.train.profile', change: dataset({ profile: '{"n": 2}' }) },
  'dataset tag': {
    field: 'dataset_inputs.train.tags.mlflow.data.context',
    change: dataset({}, { 'mlflow.data.context': 'eval' }),
  },
  'dataset tag added': {
    field: 'dataset_inputs.train.tags.more',
    change: dataset({}, { 'mlflow.data.context': 'training', more: '1' }),
  },
  'dataset tag removed': { field: 'dataset_inputs.train.tags.mlflow.data.context', change: dataset({}, {}) },
  'input missing': { field: 'dataset_inputs.train', change: record({ dataset_inputs: [] }) },
  'one byte of a file': {
    field: 'artifacts model/weights.bin sha256',
    change: files((all) =>
      all.map(([path, bytes]) => {
        if (path !== 'model/weights.bin') return [path, bytes];
        const changed = Buffer.from(bytes);
        changed[12_345] = 8;
        return [path, changed];
      }),
    ),
  },
  'a file shorter': {
    field: 'artifacts model/weights.bin size',
    change: files((all) =>
      all.map(([path, bytes]) => [path, path === 'model/weights.bin' ? bytes.subarray(1) : bytes]),
    ),
  },
  'a file missing': {
    field: 'artifacts readme.txt',
    change: files((all) => all.filter(([path]) => path !== 'readme.txt')),
  },
  'a file more': {
    field: 'artifacts model/new.txt',
    change: files((all) => [['model/new.txt', Buffer.from('x')], ...all]),
  },
  'experiment tag changed': {
    field: 'tags.note',
    ofExperiment: true,
    change: experiment({ tags: { note: 'A', owner: 'b' } }),
  },
  'experiment tag added': {
    field: 'tags.new',
    ofExperiment: true,
    change: experiment({ tags: { note: 'a', owner: 'b', new: '' } }),
  },
  'experiment tag removed': {
    field: 'tags.owner',
    ofExperiment: true,
    change: experiment({ tags: { note: 'a' } }),
  },
  'experiment creation time': {
    field: 'creation_time',
    ofExperiment: true,
    change: experiment({ creation_time: 5 }),
  },
  'experiment last update': {
    field: 'last_update_time',
    ofExperiment: true,
    keptOnly: true,
    change: experiment({ last_update_time: 5 }),
  },
  'experiment root': {
    field: 'artifact_location',
    ofExperiment: true,
    keptOnly: true,
    change: experiment({ artifact_location: 's3://b' }),
  },
  'run root': { field: 'artifact_uri', keptOnly: true, change: record({ artifact_uri: 's3://b/r' }) },
  'run deleted': { field: 'lifecycle_stage', change: record({ lifecycle_stage: 'deleted' }) },
};
