import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';
import { kindOf } from '../../src/kinds/kinds.ts';
import type { LoggedModel } from '../../src/model/logged-model.ts';
import { fitModelHistory, withHeldModels } from '../../src/model/mlflow/model-history.ts';
import type { Run } from '../../src/model/records.ts';
import { modelPathsIn } from '../../src/places/model-directories.ts';
import { withModels } from '../../src/places/models-in-runs.ts';
import type { ObjectReader } from '../../src/places/objects.ts';
import type { RunReader } from '../../src/places/place.ts';

const RUN = 'a'.repeat(32);
const run: Run = {
  kind: 'run',
  run_id: RUN,
  experiment_id: '1',
  run_name: 'train',
  user_id: 'u',
  status: 'FINISHED',
  start_time: 1,
  end_time: 2,
  lifecycle_stage: 'active',
  artifact_uri: 'file:///r',
  params: {},
  tags: {},
  dataset_inputs: [],
  model_outputs: [{ model_id: 'm-1', step: 0 }],
  latest_metrics: {},
};

function files(content: Readonly<Record<string, string>>) {
  return {
    async *artifacts() {
      for (const [path, body] of Object.entries(content)) yield { path, size: Buffer.byteLength(body) };
    },
    open: async ({ path }: { path: string }) =>
      Readable.from([Buffer.from(content[path] ?? '')], { objectMode: false }),
  };
}

function model(model_id: string, name: string, content: Readonly<Record<string, string>>): ObjectReader {
  const record: LoggedModel = {
    kind: 'logged_model',
    model_id,
    experiment_id: '1',
    name,
    source_run_id: RUN,
    status: 'LOGGED_MODEL_READY',
    creation_timestamp_ms: 1,
    last_updated_timestamp_ms: 2,
    artifact_uri: `mlflow-artifacts:/1/models/${model_id}/artifacts`,
    params: { depth: '3' },
    tags: {},
    metrics: [],
  };
  return { of: kindOf('logged_model'), record, ...files(content) };
}

const reader = (content: Readonly<Record<string, string>>, more: Partial<Run> = {}): RunReader => ({
  run: { ...run, ...more },
  async *metrics() {},
  ...files(content),
});

const given = async (
  source: RunReader,
  models: readonly ObjectReader[],
  held?: ReadonlyMap<string, string>,
) =>
  withModels(source, models, {
    directories: await modelPathsIn(source, models, held),
    keepModelFiles: false,
    fail(_, error) {
      throw error;
    },
  });

async function contents(source: RunReader): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const entry of source.artifacts())
    found[entry.path] = await text((await source.open(entry)) ?? Readable.from([]));
  return found;
}

const MLMODEL =
  'artifact_path: mlflow-artifacts:/x\nflavors:\n  sklearn:\n    code: null\n    config: {a: 1}\n';

it('gives models directories of their names, or others where a file or model of the name is there', async () => {
  const models = [
    model('m-1', 'model', { MLmodel: MLMODEL, 'data/a': 'first' }),
    model('m-2', 'model', { 'data/a': 'second' }),
    model('m-3', 'notes.txt', { a: 'third' }),
    model('m-4', 'mlferry', { a: 'fourth' }),
    model('m-5', '../up', { a: 'fifth' }),
    model('../../m-6', '..', { a: 'sixth' }),
    model('m-7', 'pending', {}),
  ];
  const own = { 'notes.txt': 'own', 'mlferry/logged_models.json': 'of an earlier copy' };
  const found = await given(reader(own), models);
  expect(Object.fromEntries(found.paths)).toEqual({
    'm-1': 'model',
    'm-2': 'model-m-2',
    'm-3': 'notes.txt-m-3',
    'm-4': 'mlferry-m-4',
    'm-5': 'm-5',
    'm-7': undefined,
  });
  const { 'mlferry/logged_models-2.json': known = '', ...rest } = await contents(found.reader);
  expect(rest).toEqual({
    ...own,
    'model/MLmodel': MLMODEL.replace('mlflow-artifacts:/x', '"model"'),
    'model/data/a': 'first',
    'model-m-2/data/a': 'second',
    'notes.txt-m-3/a': 'third',
    'mlferry-m-4/a': 'fourth',
    'm-5/a': 'fifth',
  });
  const listed: { path: string | null; model: { model_id: string; params: object } }[] =
    JSON.parse(known).models;
  expect(listed.map(({ path, model: { model_id, params } }) => [path, model_id, params])).toEqual(
    [...found.paths].map(([id, path]) => [path ?? null, id, { depth: '3' }]),
  );
  expect(JSON.parse(known)).toMatchObject({
    model_inputs: [],
    model_outputs: [{ model_id: 'm-1', step: 0 }],
  });
  expect(found.losses.map(({ code, key }) => `${code} ${key}`)).toContain('MODEL_IN_RUN model-m-2');
  expect(found.reader.run).not.toHaveProperty('model_outputs');
});

it('leaves a model where an earlier copy has put it, whichever others come along', async () => {
  const [first, second, third] = ['m-1', 'm-2', 'm-3'].map((id) => model(id, 'model', { a: id }));
  const held = new Map([
    ['m-1', 'model'],
    ['m-2', 'model-m-2'],
  ]);
  const pathsOf = async (models: ReadonlyArray<ObjectReader | undefined>, source = reader({})) =>
    Object.fromEntries(
      (
        await given(
          source,
          models.flatMap((each) => each ?? []),
          held,
        )
      ).paths,
    );
  // The first one is gone at the source, and a new one of the name has come.
  expect(await pathsOf([second, third])).toEqual({ 'm-2': 'model-m-2', 'm-3': 'model-m-3' });
  expect(await pathsOf([third, second, first])).toEqual({
    ...{ 'm-1': 'model', 'm-2': 'model-m-2', 'm-3': 'model-m-3' },
  });
  // What the run itself has got meanwhile goes first.
  expect(await pathsOf([first], reader({ 'model/own.txt': 'x' }))).toEqual({ 'm-1': 'model-m-1' });
});

it('the history of a copy keeps the models that only it tells of', () => {
  const entry = (model_uuid: string, artifact_path: string) => ({ model_uuid, artifact_path });
  const held = JSON.stringify([
    entry('m-1', 'model'),
    entry('m-2', 'model-m-2'),
    entry('0'.repeat(32), 'old'),
  ]);
  const merged = (...wanted: object[]) => JSON.parse(withHeldModels(JSON.stringify(wanted), held) ?? 'null');
  expect(merged(entry('m-2', 'model-m-2'))).toEqual([entry('m-2', 'model-m-2'), entry('m-1', 'model')]);
  expect(merged(entry('m-9', 'model'))).toEqual([entry('m-9', 'model'), entry('m-2', 'model-m-2')]);
  expect(withHeldModels(undefined, undefined)).toBeUndefined();
  expect(withHeldModels('no list', held)).toBe('no list');
});

it('adds to the history of models as MLflow 2 writes it', async () => {
  const before = JSON.stringify([{ artifact_path: 'older' }]);
  const models = [model('m-1', 'model', { MLmodel: MLMODEL }), model('m-2', 'broken', { MLmodel: 'a: [' })];
  const found = await given(reader({}, { tags: { 'mlflow.log-model.history': before } }), models);
  expect(JSON.parse(found.reader.run.tags['mlflow.log-model.history'] ?? '')).toEqual([
    { artifact_path: 'older' },
    {
      run_id: RUN,
      artifact_path: 'model',
      utc_time_created: '',
      model_uuid: 'm-1',
      flavors: { sklearn: { code: null } },
    },
  ]);
});

it('leaves out a model whose files cannot be listed, and the run is incomplete', async () => {
  const broken: ObjectReader = {
    ...model('m-1', 'model', {}),
    // biome-ignore lint/correctness/useYield: it fails before it has anything
    async *artifacts() {
      throw new Error('no such store');
    },
  };
  const failed: string[] = [];
  const source = reader({ own: 'x' });
  const found = await withModels(source, [broken], {
    directories: await modelPathsIn(source, [broken]),
    keepModelFiles: false,
    fail: ({ record }) => void failed.push(String(record.model_id)),
  });
  expect(failed).toEqual(['m-1']);
  expect(found.reader.run.incomplete).toBe(true);
  expect(found.paths.size).toBe(0);
  expect(await contents(found.reader)).toMatchObject({ own: 'x' });
});

it('cuts a history that is too long between entries', () => {
  const entries = ['a', 'b', 'c'].map((artifact_path) => ({ artifact_path }));
  const text = JSON.stringify(entries);
  const within = (limit: number) => (part: string) => part.length <= limit;
  expect(fitModelHistory(text, within(text.length - 1))).toBe(JSON.stringify(entries.slice(0, 2)));
  expect(fitModelHistory(text, within(3))).toBe('[]');
  expect(fitModelHistory('no list', within(3))).toBeUndefined();
});
